//! Matrix products: the safe door to the `gemm` crate. The only place in the project with unsafe code.
#![expect(
    unsafe_code,
    reason = "the gemm crate takes raw pointers; every call below checks the bounds of its slices first"
)]

use gemm::Parallelism;

use super::PARALLEL_FLOPS;

/// A matrix that lies in a slice: element (i, j) is `data[i * row_stride + j * column_stride]`.
#[derive(Clone, Copy)]
pub struct Mat<'a> {
    data: &'a [f32],
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Mat<'a> {
    /// Rows one after another, `row_stride` apart.
    pub fn rows(data: &'a [f32], row_stride: usize) -> Self {
        Self {
            data,
            row_stride,
            column_stride: 1,
        }
    }

    /// The same numbers with rows and columns exchanged.
    pub fn transposed(self) -> Self {
        Self {
            data: self.data,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }

    fn check(&self, rows: usize, columns: usize) {
        let last = (rows - 1) * self.row_stride + (columns - 1) * self.column_stride;
        assert!(last < self.data.len(), "matrix reaches beyond its slice");
    }
}

/// Size of a product: `[m, k] × [k, n]`.
#[derive(Clone, Copy)]
pub struct Size {
    /// Rows of the result.
    pub m: usize,
    /// Columns of the result.
    pub n: usize,
    /// Length of the sums.
    pub k: usize,
}

/// Which threads compute a product.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// The calling thread alone.
    One,
    /// All threads of the rayon pool, if the product is worth it.
    All,
}

impl Threads {
    fn parallelism(self, size: Size) -> Parallelism {
        match self {
            Self::All if 2 * size.m * size.n * size.k >= PARALLEL_FLOPS => Parallelism::Rayon(0),
            Self::One | Self::All => Parallelism::None,
        }
    }
}

/// `lhs × rhs` as a new buffer of rows.
pub fn product(size: Size, lhs: Mat, rhs: Mat, threads: Threads) -> Vec<f32> {
    let Size { m, n, .. } = size;
    let mut out = Vec::with_capacity(m * n);
    check(size, lhs, rhs);
    // SAFETY: `check` proved that both operands lie inside their slices; `out` has room for m * n values, and with
    // `read_dst` false gemm writes each of them without reading, after which they are initialized.
    unsafe {
        raw(size, out.as_mut_ptr(), n, Update::Set(1.0), lhs, rhs, threads);
        out.set_len(m * n);
    }
    out
}

/// `dst = scale * lhs × rhs`, rows of `dst` being `stride` apart.
pub fn set(dst: &mut [f32], stride: usize, size: Size, scale: f32, lhs: Mat, rhs: Mat, threads: Threads) {
    check_dst(dst, stride, size);
    check(size, lhs, rhs);
    // SAFETY: both checks proved that all three matrices lie inside their slices; `dst` is borrowed mutably, so it
    // overlaps neither operand, and its rows do not overlap because stride >= n.
    unsafe {
        raw(
            size,
            dst.as_mut_ptr(),
            stride,
            Update::Set(scale),
            lhs,
            rhs,
            threads,
        )
    }
}

/// `dst += scale * lhs × rhs`, rows of `dst` being `stride` apart.
pub fn add(dst: &mut [f32], stride: usize, size: Size, scale: f32, lhs: Mat, rhs: Mat, threads: Threads) {
    check_dst(dst, stride, size);
    check(size, lhs, rhs);
    // SAFETY: as in `set`.
    unsafe {
        raw(
            size,
            dst.as_mut_ptr(),
            stride,
            Update::Add(scale),
            lhs,
            rhs,
            threads,
        )
    }
}

fn check(Size { m, n, k }: Size, lhs: Mat, rhs: Mat) {
    assert!(m > 0 && n > 0 && k > 0, "empty matrix product");
    lhs.check(m, k);
    rhs.check(k, n);
}

fn check_dst(dst: &[f32], stride: usize, Size { m, n, .. }: Size) {
    assert!(m > 0 && n > 0 && stride >= n, "rows of a product overlap");
    assert!(
        (m - 1) * stride + n <= dst.len(),
        "product reaches beyond its slice"
    );
}

enum Update {
    Set(f32),
    Add(f32),
}

/// # Safety
/// All three matrices must lie inside their allocations, and `dst` must not overlap the operands.
unsafe fn raw(
    size: Size,
    dst: *mut f32,
    dst_stride: usize,
    update: Update,
    lhs: Mat,
    rhs: Mat,
    threads: Threads,
) {
    let (read_dst, scale) = match update {
        Update::Set(scale) => (false, scale),
        Update::Add(scale) => (true, scale),
    };
    // Strides of slices fit isize because a slice never exceeds isize::MAX bytes.
    // SAFETY: the caller upholds the bounds; gemm accesses exactly the m × k, k × n and m × n elements described.
    unsafe {
        gemm::gemm(
            size.m,
            size.n,
            size.k,
            dst,
            1,
            dst_stride as isize,
            read_dst,
            lhs.data.as_ptr(),
            lhs.column_stride as isize,
            lhs.row_stride as isize,
            rhs.data.as_ptr(),
            rhs.column_stride as isize,
            rhs.row_stride as isize,
            1.0,
            scale,
            false,
            false,
            false,
            threads.parallelism(size),
        );
    }
}
