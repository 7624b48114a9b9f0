use std::io::Cursor;

use image::{GrayImage, ImageEncoder as _, Luma, Rgb, Rgba, RgbaImage, codecs::jpeg::JpegEncoder};
use moxcms::ColorProfile;

use super::*;

fn gradient(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, 128]))
}

fn written(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[track_caller]
fn refused(bytes: &[u8], reason: &str) {
    let err = normalize(bytes).expect_err("should be refused").to_string();
    assert!(err.contains(reason), "`{err}` should contain `{reason}`");
}

#[test]
fn takes_every_format_with_the_same_pixels() {
    let picture = DynamicImage::ImageRgb8(gradient(96, 80));
    let png = normalize(&written(&picture, ImageFormat::Png)).unwrap();
    assert_eq!((png.width, png.height, png.notes.as_slice()), (96, 80, &[][..]));
    assert_eq!(read_normalized(&png.png).unwrap(), gradient(96, 80));
    for format in [ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP] {
        assert_eq!(normalize(&written(&picture, format)).unwrap(), png, "{format:?}");
    }
    let jpeg = normalize(&written(&picture, ImageFormat::Jpeg)).unwrap();
    assert_eq!((jpeg.width, jpeg.height), (96, 80));
    let gif = normalize(&written(&picture, ImageFormat::Gif)).unwrap();
    assert_eq!(gif.notes, ["converted from a palette to RGB"]);
}

#[test]
fn refuses_what_breaks_off() {
    let picture = DynamicImage::ImageRgb8(RgbImage::from_fn(200, 200, |x, y| {
        Rgb([(x * 7 + y * 13) as u8, (x * y) as u8, (x * 31) as u8])
    }));
    for format in [
        ImageFormat::Png,
        ImageFormat::Jpeg,
        ImageFormat::WebP,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
    ] {
        let bytes = written(&picture, format);
        for part in [bytes.len() - 2, bytes.len() * 9 / 10, bytes.len() / 2, 40] {
            let Err(err) = normalize(&bytes[..part]) else {
                // Decoders may stop before a file's last bytes, when they hold no pixels.
                assert!(
                    part == bytes.len() - 2 && format != ImageFormat::Jpeg,
                    "{format:?} cut to {part}"
                );
                continue;
            };
            assert!(
                matches!(err, PictureError::Damaged { .. }),
                "{format:?} cut to {part}: {err}"
            );
        }
    }
    let jpeg = written(&picture, ImageFormat::Jpeg);
    refused(
        &jpeg[..jpeg.len() / 2],
        "is a damaged JPEG file: it ends in the middle of the picture; export it again",
    );
}

#[test]
fn refuses_a_png_with_a_wrong_checksum() {
    let mut bytes = written(&DynamicImage::ImageRgb8(gradient(80, 80)), ImageFormat::Png);
    let data = bytes.windows(4).position(|window| window == b"IDAT").unwrap() + 10;
    bytes[data] ^= 0x55;
    refused(&bytes, "is a damaged PNG file");
}

#[test]
fn refuses_what_is_no_picture_by_its_bytes() {
    refused(b"", "is empty");
    refused(
        b"hello, I am called x.png",
        "is not a picture but text: pictures are PNG, JPEG",
    );
    refused(&[0xfe; 100], "is not a picture but data of an unknown type");
    refused(
        b"\0\0\0\x18ftypheic\0\0",
        "is a HEIC picture: save it as PNG, JPEG or WebP",
    );
    refused(b"8BPS\0\x01", "is a Photoshop document");
    refused(b"<?xml version='1.0'?>\n<svg xmlns='x'/>", "is an SVG drawing");
}

#[test]
fn refuses_wrong_sizes() {
    refused(
        &written(&DynamicImage::ImageRgb8(gradient(63, 200)), ImageFormat::Png),
        "is 63×200, which is too small: each side needs at least 64 pixels",
    );
    // A header that promises far more pixels than the file has: refused before they are made room for.
    let mut bytes = written(&DynamicImage::ImageRgb8(gradient(64, 64)), ImageFormat::Bmp);
    bytes[18..22].copy_from_slice(&16_000_u32.to_le_bytes());
    bytes[22..26].copy_from_slice(&16_000_u32.to_le_bytes());
    refused(&bytes, "is 16000×16000, which is too large");
}

#[test]
fn lays_transparency_on_white() {
    let mut rgba = RgbaImage::from_pixel(64, 64, Rgba([200, 0, 0, 0]));
    refused(
        &written(&rgba.clone().into(), ImageFormat::Png),
        "is fully transparent",
    );
    rgba.put_pixel(0, 0, Rgba([0, 0, 0, 255]));
    rgba.put_pixel(1, 0, Rgba([0, 100, 0, 128]));
    let picture = normalize(&written(&rgba.into(), ImageFormat::Png)).unwrap();
    assert_eq!(picture.notes, ["transparent areas filled with white"]);
    let pixels = read_normalized(&picture.png).unwrap();
    assert_eq!(pixels.get_pixel(0, 0), &Rgb([0, 0, 0]));
    assert_eq!(pixels.get_pixel(1, 0), &Rgb([127, 177, 127]));
    assert_eq!(pixels.get_pixel(2, 0), &Rgb([255, 255, 255]));
    let (opaque, alpha) = read_masked(&picture.png).unwrap();
    assert_eq!(opaque, pixels);
    let alpha = alpha.unwrap();
    assert_eq!([0, 1, 2].map(|x| alpha.get_pixel(x, 0)[0]), [255, 128, 0]);
    assert!(is_plain_png(&picture.png, (64, 64)));
    // What was normalized once stays as it is.
    assert_eq!(normalize(&picture.png).unwrap().png, picture.png);
    // A program that drops the alpha sees the same colors.
    assert!(is_masked(&picture.png[..HEADER_BYTES]) && !is_masked(&encode_png(&pixels)));
    let laid = laid_on_white(&picture.png, 0).unwrap();
    let (laid, _) = decoded(&laid, ImageFormat::Png, &mut Vec::new()).unwrap();
    assert_eq!(laid.to_rgba8().get_pixel(1, 0), &Rgba([127, 177, 127, 128]));
    assert_eq!(laid.into_rgb8(), pixels);

    let opaque = RgbaImage::from_pixel(64, 64, Rgba([1, 2, 3, 255]));
    let picture = normalize(&written(&opaque.into(), ImageFormat::Png)).unwrap();
    assert_eq!(
        picture.png,
        encode_png(&RgbImage::from_pixel(64, 64, Rgb([1, 2, 3])))
    );
    assert_eq!(read_masked(&picture.png).unwrap().1, None);
}

/// White in the left half.
fn half_mask() -> RgbImage {
    RgbImage::from_fn(64, 64, |x, _| Rgb([if x < 32 { 255 } else { 0 }; 3]))
}

#[test]
fn a_mask_picture_is_kept_in_the_file_of_its_picture() {
    let pixels = gradient(64, 64);
    let (plain, mask) = (encode_png(&pixels), encode_png(&half_mask()));
    let masked = with_mask(&plain, &mask).unwrap();
    assert_eq!(mask_in(&masked), Some(&mask[..]));
    assert_eq!(without_mask(&masked), plain);
    assert_eq!(with_mask(&masked, &mask).unwrap(), masked, "one mask at most");
    assert!(is_masked(&masked[..HEADER_BYTES]) && !is_masked(&plain[..HEADER_BYTES]));
    let (read, values) = read_masked(&masked).unwrap();
    assert_eq!(read, pixels);
    let values = values.unwrap();
    assert_eq!([31, 32].map(|x| values.get_pixel(x, 9)[0]), [255, 0]);
    // What shows pictures shows all of it, and an upload of it is that picture.
    let (shown, _) = decoded(&masked, ImageFormat::Png, &mut Vec::new()).unwrap();
    assert_eq!(shown.into_rgb8(), pixels);
    assert_eq!(normalize(&masked).unwrap().png, plain);
    // sd-scripts gets colors that are not changed, and the mask as alpha.
    let laid = laid_on_white(&masked, 0).unwrap();
    let (laid, _) = decoded(&laid, ImageFormat::Png, &mut Vec::new()).unwrap();
    let laid = laid.into_rgba8();
    assert_eq!(laid.get_pixel(40, 9), &Rgba([40, 9, 128, 0]));
    assert_eq!(laid.get_pixel(20, 9), &Rgba([20, 9, 128, 255]));
    let raised = laid_on_white(&masked, 26).unwrap();
    let (raised, _) = decoded(&raised, ImageFormat::Png, &mut Vec::new()).unwrap();
    let raised = raised.into_rgba8();
    assert_eq!([40, 20].map(|x| raised.get_pixel(x, 9)[3]), [26, 255]);

    assert_eq!(with_mask(&plain, &encode_png(&gradient(64, 65))), None);
    assert_eq!(mask_in(&plain), None);
    assert_eq!(mask_in(b"text"), None);
}

#[test]
fn a_mask_picture_takes_the_place_of_an_alpha() {
    let rgba = RgbaImage::from_fn(64, 64, |_, y| Rgba([0, 0, 0, if y < 32 { 0 } else { 255 }]));
    let picture = normalize(&written(&rgba.into(), ImageFormat::Png)).unwrap();
    let masked = with_mask(&picture.png, &encode_png(&half_mask())).unwrap();
    let (read, values) = read_masked(&masked).unwrap();
    assert_eq!(read.get_pixel(0, 0), &Rgb([255; 3]), "still laid on white");
    assert_eq!(values.unwrap().get_pixel(0, 0)[0], 255);
}

#[test]
fn converts_gray_and_deep_pictures() {
    let gray = GrayImage::from_pixel(64, 64, Luma([77]));
    let picture = normalize(&written(&gray.into(), ImageFormat::Png)).unwrap();
    assert_eq!(picture.notes, ["gray, converted to RGB"]);
    assert_eq!(
        read_normalized(&picture.png).unwrap().get_pixel(5, 5),
        &Rgb([77; 3])
    );

    let deep = image::ImageBuffer::from_pixel(64, 64, Rgb([0x1234_u16, 0xffff, 0]));
    let picture = normalize(&written(&DynamicImage::ImageRgb16(deep), ImageFormat::Png)).unwrap();
    assert_eq!(picture.notes, ["converted from 16 to 8 bits per channel"]);
    assert_eq!(
        read_normalized(&picture.png).unwrap().get_pixel(0, 0),
        &Rgb([0x12, 255, 0])
    );
}

#[test]
fn turns_a_picture_as_its_exif_tag_says() {
    // A TIFF header, one directory entry: orientation (0x0112), short, 6 = rotate by 90 degrees clockwise.
    let exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
    encoder.set_exif_metadata(exif).unwrap();
    let half_black = RgbImage::from_fn(96, 64, |x, _| if x < 48 { Rgb([0; 3]) } else { Rgb([255; 3]) });
    encoder
        .write_image(&half_black, 96, 64, ExtendedColorType::Rgb8)
        .unwrap();
    let picture = normalize(&bytes).unwrap();
    assert_eq!((picture.width, picture.height), (64, 96));
    assert_eq!(picture.notes, ["rotated as its EXIF tag says"]);
    let pixels = read_normalized(&picture.png).unwrap();
    assert!(
        pixels.get_pixel(32, 10)[0] < 10 && pixels.get_pixel(32, 85)[0] > 245,
        "left is on top now"
    );
    assert!(
        !picture.png.windows(4).any(|window| window == b"eXIf"),
        "metadata stays behind"
    );
}

fn png_with_profile(pixel: [u8; 3], profile: Vec<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = PngEncoder::new(&mut bytes);
    encoder.set_icc_profile(profile).unwrap();
    let pixels = RgbImage::from_pixel(64, 64, Rgb(pixel));
    encoder
        .write_image(&pixels, 64, 64, ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

#[test]
fn converts_display_p3_to_srgb() {
    let profile = ColorProfile::new_display_p3().encode().unwrap();
    let picture = normalize(&png_with_profile([200, 100, 50], profile)).unwrap();
    assert_eq!(picture.notes, ["colors converted from its profile to sRGB"]);
    let pixel = read_normalized(&picture.png).unwrap().get_pixel(0, 0).0;
    // From the published matrices (SMPTE EG 432-1, IEC 61966-2-1): linearize, P3 → XYZ → sRGB, encode.
    for (channel, expected) in pixel.into_iter().zip([213_u8, 94, 30]) {
        assert!(channel.abs_diff(expected) <= 2, "{pixel:?}");
    }
}

#[test]
fn leaves_srgb_alone_and_forgives_a_broken_profile() {
    let srgb = ColorProfile::new_srgb().encode().unwrap();
    let picture = normalize(&png_with_profile([200, 100, 50], srgb)).unwrap();
    assert_eq!(picture.notes.len(), 0);
    assert_eq!(
        read_normalized(&picture.png).unwrap().get_pixel(0, 0),
        &Rgb([200, 100, 50])
    );
    let picture = normalize(&png_with_profile([200, 100, 50], vec![7; 200])).unwrap();
    assert_eq!(
        picture.notes,
        ["its color profile is unusable, so sRGB is assumed"]
    );
    assert_eq!(
        read_normalized(&picture.png).unwrap().get_pixel(0, 0),
        &Rgb([200, 100, 50])
    );
}

#[test]
fn refuses_several_pages_but_not_previews() {
    use tiff::{
        encoder::{TiffEncoder, colortype::RGB8},
        tags::Tag,
    };
    let file = |kinds: &[Option<u32>]| {
        let mut bytes = Cursor::new(Vec::new());
        let mut encoder = TiffEncoder::new(&mut bytes).unwrap();
        for kind in kinds {
            let mut page = encoder.new_image::<RGB8>(64, 64).unwrap();
            if let Some(kind) = kind {
                page.encoder().write_tag(Tag::NewSubfileType, *kind).unwrap();
            }
            page.write_data(gradient(64, 64).as_raw()).unwrap();
        }
        bytes.into_inner()
    };
    normalize(&file(&[None])).unwrap();
    normalize(&file(&[Some(0), Some(1), Some(4)])).unwrap();
    let reason = "is a TIFF file with several pages: upload the page you want";
    refused(&file(&[None, None]), reason);
    refused(&file(&[Some(2), Some(1), Some(2)]), reason);
}

#[test]
fn refuses_animations() {
    use image::{Delay, Frame, codecs::gif::GifEncoder};
    let frames = |n: u8| {
        let mut bytes = Vec::new();
        let mut encoder = GifEncoder::new(&mut bytes);
        for index in 0..n {
            let pixels = RgbaImage::from_pixel(64, 64, Rgba([index * 50, 0, 0, 255]));
            encoder
                .encode_frame(Frame::from_parts(
                    pixels,
                    0,
                    0,
                    Delay::from_numer_denom_ms(100, 1),
                ))
                .unwrap();
        }
        drop(encoder);
        bytes
    };
    normalize(&frames(1)).unwrap();
    refused(&frames(2), "is an animated GIF: upload the frame you want");
    // An animation control chunk (acTL) after the header makes a PNG an animated one.
    let mut png = written(&DynamicImage::ImageRgb8(gradient(64, 64)), ImageFormat::Png);
    let control = [
        0, 0, 0, 8, b'a', b'c', b'T', b'L', 0, 0, 0, 2, 0, 0, 0, 0, 0xf3, 0x8d, 0x93, 0x70,
    ];
    png.splice(33..33, control);
    refused(&png, "is an animated PNG");
}

/// Chunks of an animation control and of a frame's, behind the header.
fn animated(n_frames: u8, n_controls: usize) -> Vec<u8> {
    let mut png = written(&DynamicImage::ImageRgb8(gradient(64, 64)), ImageFormat::Png);
    let mut chunks = texts::chunk(*b"acTL", &[0, 0, 0, n_frames, 0, 0, 0, 0]);
    for _ in 0..n_controls {
        chunks.extend(texts::chunk(*b"fcTL", &[0; 26]));
    }
    png.splice(33..33, chunks);
    png
}

#[test]
fn an_animation_of_one_frame_is_a_picture() {
    let picture = normalize(&animated(1, 1)).unwrap();
    assert_eq!(read_normalized(&picture.png).unwrap(), gradient(64, 64));
    normalize(&animated(1, 0)).unwrap();
    refused(&animated(1, 2), "is an animated PNG");
    refused(&animated(2, 1), "is an animated PNG");
}

#[test]
fn a_wrong_checksum_is_said_in_words() {
    let mut png = written(&DynamicImage::ImageRgb8(gradient(64, 64)), ImageFormat::Png);
    // The checksum of the pixels, in front of the last chunk of 12 bytes.
    let at = png.len() - 13;
    png[at] ^= 1;
    refused(
        &png,
        "is a damaged PNG file: a checksum in it is wrong, so that some of its bytes were changed; export it again",
    );
}

#[test]
fn kinds_of_tiff_that_are_not_read_are_not_called_damaged() {
    use tiff::encoder::{TiffEncoder, colortype};
    let mut floats = Cursor::new(Vec::new());
    TiffEncoder::new(&mut floats)
        .unwrap()
        .write_image::<colortype::Gray32Float>(64, 64, &[0.5; 64 * 64])
        .unwrap();
    let mut deep = Cursor::new(Vec::new());
    TiffEncoder::new(&mut deep)
        .unwrap()
        .write_image::<colortype::Gray32>(64, 64, &[5; 64 * 64])
        .unwrap();
    for file in [floats, deep] {
        refused(&file.into_inner(), "is a kind of TIFF file that is not read");
    }
}

#[test]
fn reserved_bytes_of_a_bmp_may_be_anything() {
    let mut bmp = written(&DynamicImage::ImageRgb8(gradient(64, 64)), ImageFormat::Bmp);
    bmp[6..10].copy_from_slice(b"GIMP");
    assert_eq!(
        read_normalized(&normalize(&bmp).unwrap().png).unwrap(),
        gradient(64, 64)
    );
}
