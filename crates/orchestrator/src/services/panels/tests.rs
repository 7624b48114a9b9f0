use super::*;

#[test]
fn panels_are_named_after_their_page() {
    let taken: BTreeSet<String> = ["a-panel-1.png", "a-panel-1-2.png"].map(str::to_owned).into();
    let name = |page, number| free_name(page, number, &taken);
    assert_eq!(name("page-03.png", 2), "page-03-panel-2.png");
    assert_eq!(name("vol.1/page", 1), "vol.1/page-panel-1.png");
    assert_eq!(name(".png", 1), ".png-panel-1.png");
    assert_eq!(name("a.jpg", 1), "a-panel-1-3.png");
}

#[test]
fn frames_lie_on_the_page_and_are_large_enough() {
    let frame = |left, top, width, height| PageFrame {
        left,
        top,
        width,
        height,
    };
    let problems = |frames: &[PageFrame]| match check_frames(frames, (200, 300)) {
        Ok(()) => Vec::new(),
        Err(InvalidFields(errors)) => errors.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(
        problems(&[frame(0, 0, 200, 300), frame(136, 236, 64, 64)]),
        [""; 0]
    );
    assert_eq!(
        problems(&[
            frame(0, 0, 100, 100),
            frame(101, 0, 100, 100),
            frame(0, 0, 100, 63),
            frame(u32::MAX, 0, u32::MAX, 100),
        ]),
        [
            "frames[1]: must lie on the page, which is 200×300",
            "frames[2]: must be at least 64 pixels wide and high, not 100×63",
            "frames[3]: must lie on the page, which is 200×300",
        ]
    );
    assert_eq!(problems(&[]), ["frames: must be from 1 to 64, not 0"]);
    let doubled = vec![frame(0, 0, 200, 300); 4];
    assert_eq!(problems(&doubled), [""; 0]);
    let covered = [doubled, vec![frame(0, 0, 64, 64)]].concat();
    assert_eq!(
        problems(&covered),
        ["frames: must not have more than 4 times as many pixels as the page together"]
    );
    let many = vec![frame(0, 0, 64, 64); 65];
    assert_eq!(problems(&many), ["frames: must be from 1 to 64, not 65"]);
}
