//! The process that decodes: it gives up all that it does not need, and then reads the first picture.

use std::io::{self, BufWriter, Read as _, Write};

use super::{
    PageTask,
    frame::{self, MAX_ANSWER_BYTES, Outline, kind},
    guarded, page, sandbox,
};
use crate::picture;

/// Decodes what comes on standard input until that ends. Standard output belongs to it.
///
/// # Errors
/// If the parent process has closed its end, or sends something that is not a request.
pub fn serve() -> io::Result<()> {
    let confinement = sandbox::enter();
    let mut output = io::stdout().lock();
    let hello = serde_json::to_vec(&confinement).map_err(io::Error::other)?;
    frame::write(&mut output, kind::HELLO, &hello)?;
    output.flush()?;
    let mut input = io::stdin().lock();
    let mut task = None;
    while let Some((of_kind, n_bytes)) = frame::read_header(&mut input)? {
        let mut bytes = vec![0; n_bytes];
        input.read_exact(&mut bytes)?;
        match (of_kind, task.take()) {
            (kind::TASK, None) => task = Some(serde_json::from_slice(&bytes).map_err(io::Error::other)?),
            (kind::PICTURE, None) => answer(bytes, &mut output)?,
            (kind::PICTURE, Some(task)) => split(&bytes, &task, &mut output)?,
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
        output.flush()?;
    }
    Ok(())
}

fn answer(bytes: Vec<u8>, output: &mut impl Write) -> io::Result<()> {
    let decoded = guarded(&bytes);
    drop(bytes);
    match decoded {
        Ok(upright) => {
            let (width, height) = (upright.pixels.width(), upright.pixels.height());
            let measures = picture::measure(&upright.pixels);
            let thumbnail = picture::thumbnail(&upright.pixels);
            let mut png = BufWriter::with_capacity(MAX_ANSWER_BYTES, Frames(output));
            picture::write_png(&upright.pixels, &mut png)?;
            png.flush()?;
            let Frames(output) = png.into_inner().map_err(io::IntoInnerError::into_error)?;
            frame::write(output, kind::THUMBNAIL, &thumbnail)?;
            let outline = Outline {
                width,
                height,
                notes: upright.notes,
                measures: Some(measures),
            };
            let outline = serde_json::to_vec(&outline).map_err(io::Error::other)?;
            frame::write(output, kind::OUTLINE, &outline)
        }
        Err(err) => frame::write(output, kind::REFUSED, err.to_string().as_bytes()),
    }
}

fn split(bytes: &[u8], task: &PageTask, output: &mut impl Write) -> io::Result<()> {
    let outline = page::split(bytes, task, |png, part| {
        for piece in png.chunks(MAX_ANSWER_BYTES) {
            frame::write(output, kind::PNG, piece)?;
        }
        frame::write(
            output,
            kind::PART,
            &serde_json::to_vec(&part).map_err(io::Error::other)?,
        )
    });
    match outline? {
        Ok(outline) => {
            let outline = serde_json::to_vec(&outline).map_err(io::Error::other)?;
            frame::write(output, kind::PAGE, &outline)
        }
        Err(err) => frame::write(output, kind::REFUSED, err.to_string().as_bytes()),
    }
}

/// Sends what is written to it as frames.
struct Frames<'a, W>(&'a mut W);

impl<W: Write> Write for Frames<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let part = &bytes[..bytes.len().min(MAX_ANSWER_BYTES)];
        frame::write(self.0, kind::PNG, part)?;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
