use super::{disposition::boundary, parser::*, *};

/// What a body says, pushed in pieces of this size.
fn parse(body: &[u8], piece: usize) -> Result<Vec<(Part, Vec<u8>)>, Objection> {
    let mut parser = Parser::new("x");
    let mut pieces = body.chunks(piece);
    let mut parts: Vec<(Part, Vec<u8>)> = Vec::new();
    loop {
        match parser.next()? {
            Some(Event::Part(part)) => parts.push((part, Vec::new())),
            Some(Event::Data(bytes)) => parts
                .last_mut()
                .expect("data follows a part")
                .1
                .extend_from_slice(&bytes),
            Some(Event::PartEnd) => {}
            Some(Event::End) => return Ok(parts),
            None => {
                let kept = limits::MAX_PART_HEADER_BYTES.max(limits::MAX_UPLOAD_PREAMBLE_BYTES) + 100;
                assert!(parser.n_kept() <= kept, "{} bytes are kept", parser.n_kept());
                parser.push(pieces.next().ok_or(Objection::Ended)?)?;
            }
        }
    }
}

fn part(headers: &str, content: &str) -> String {
    format!("--x\r\n{headers}\r\n\r\n{content}\r\n")
}

fn file(name: &str, content: &str) -> String {
    part(
        &format!("Content-Disposition: form-data; name=\"files\"; filename=\"{name}\""),
        content,
    )
}

#[test]
fn reads_what_browsers_send_however_it_is_cut() {
    let body = format!(
        "{}{}{}--x--\r\nepilogue",
        part("content-disposition: form-data; name=\"split\"", "held_out"),
        file("a.png", "--x\r\n-\r\n--\r\r\n--y"),
        file("b.txt", "")
    );
    let expected = [
        ("split", None, "held_out"),
        ("files", Some("a.png"), "--x\r\n-\r\n--\r\r\n--y"),
        ("files", Some("b.txt"), ""),
    ];
    for piece in 1..body.len() {
        let parts = parse(body.as_bytes(), piece).unwrap();
        let parts: Vec<_> = parts
            .iter()
            .map(|(part, content)| {
                (
                    part.name.as_str(),
                    part.file_name.as_deref(),
                    str::from_utf8(content).unwrap(),
                )
            })
            .collect();
        assert_eq!(parts, expected, "in pieces of {piece}");
    }
}

#[test]
fn refuses_what_is_too_long_before_it_is_kept() {
    let check = |body: String, objection| assert_eq!(parse(body.as_bytes(), 512), Err(objection));
    check("p".repeat(1 << 20), Objection::Preamble);
    check(
        format!("{}\r\n{}--x--", "p".repeat(5000), file("a", "b")),
        Objection::Preamble,
    );
    check(file(&"n".repeat(1 << 20), ""), Objection::Headers);
    check(part(&"a: b\r\n".repeat(1 << 16), ""), Objection::Headers);
    check(format!("--x{}", " ".repeat(1 << 20)), Objection::Headers);
    check(
        file("a", "").repeat(limits::MAX_UPLOAD_PARTS + 1),
        Objection::Parts,
    );
    check(file("a", "half"), Objection::Ended);
    check(
        "--xy\r\n\r\n".into(),
        Objection::Malformed("a boundary is followed by neither a line break nor `--`"),
    );
}

#[test]
fn counts_all_that_has_come() {
    let mut parser = Parser::new("x").after(limits::MAX_UPLOAD_BYTES - 2000);
    parser.push(file("a.png", "").as_bytes()).unwrap();
    let n_pushed = (0..100).take_while(|_| {
        while matches!(parser.next(), Ok(Some(_))) {}
        parser.push(&[0; 1000]).is_ok()
    });
    assert_eq!(
        n_pushed.count(),
        1,
        "the file's headers and a thousand bytes fit, not two thousand"
    );
}

#[test]
fn understands_names_as_clients_write_them() {
    let check = |parameters: &str, name: &str, file_name: Option<&str>| {
        let part =
            disposition::part(format!("Content-Disposition: form-data; {parameters}\r\n\r\n").as_bytes());
        assert_eq!(
            (part.name.as_str(), part.file_name.as_deref()),
            (name, file_name),
            "{parameters}"
        );
    };
    check("name=split", "split", None);
    check(
        "filename=\"a;name=b.png\"; name=\"files\"",
        "files",
        Some("a;name=b.png"),
    );
    check(
        r#"name="files"; filename="a \"b\".png""#,
        "files",
        Some(r#"a "b".png"#),
    );
    check(
        r#"name="files"; filename="C:\pictures\a.png""#,
        "files",
        Some(r"C:\pictures\a.png"),
    );
    check(
        "name=\"files\"; filename*=utf-8''na%C3%AFve%20%.png",
        "files",
        Some("naïve %.png"),
    );
    check("name=\"naïve\"", "naïve", None);
    check("name=\"never closed", "", None);
    check("", "", None);
}

/// Programs of old send the bytes that they have. No file is refused for its name.
#[test]
fn reads_names_that_are_not_utf_8() {
    for (parameters, file_name) in [
        (&b"filename=\"Zo\xe9.png\""[..], "Zo\u{e9}.png"),
        (b"filename=\"\x83\x5d\x83\x89.png\"", "ゾラ.png"),
        (b"filename=\"Zo\xc3\xa9.png\"", "Zo\u{e9}.png"),
        (b"filename*=iso-8859-1'en'Zo%E9.png", "Zo\u{e9}.png"),
        (b"filename*=unknown''Zo%E9.png", "Zo\u{e9}.png"),
        (
            b"filename=\"Zo_.png\"; filename*=UTF-8''Zo%C3%A9.png",
            "Zo\u{e9}.png",
        ),
        (b"filename=\"a.png\"; filename*=broken", "a.png"),
        (b"filename=\"zora %22hero%22 %41.png\"", "zora \"hero\" %41.png"),
    ] {
        let headers = [
            &b"Content-Disposition: form-data; name=\"files\"; "[..],
            parameters,
            b"\r\n\r\n",
        ]
        .concat();
        let expected = Part {
            name: "files".into(),
            file_name: Some(file_name.into()),
        };
        assert_eq!(
            disposition::part(&headers),
            expected,
            "{}",
            parameters.escape_ascii()
        );
    }
}

#[test]
fn takes_a_boundary_of_forms_only() {
    assert_eq!(boundary("multipart/form-data; boundary=a").as_deref(), Some("a"));
    assert_eq!(
        boundary("Multipart/Form-Data; charset=utf-8; boundary=\"a b\"").as_deref(),
        Some("a b")
    );
    for other in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/mixed; boundary=a",
        "application/json",
        &format!("multipart/form-data; boundary={}", "b".repeat(71)),
    ] {
        assert_eq!(boundary(other), None, "{other}");
    }
}

#[test]
fn says_back_the_beginning_only() {
    assert_eq!(shortened("train"), "train");
    assert_eq!(shortened("a\u{0}b"), "ab…");
    assert_eq!(shortened(&"x".repeat(1 << 20)).chars().count(), 61);
}

#[test]
fn fuzz_multipart() {
    let good = [
        format!(
            "{}{}--x--",
            file("a.png", "picture"),
            part("content-disposition: form-data; name=\"split\"", "train")
        ),
        format!("preamble\r\n{}--x--epilogue", file("a.txt", "\r\n--\r\n--x")),
        part(
            "Content-Disposition: form-data; filename*=utf-8''%41; name=\"b\"\r\nContent-Type: a/b",
            "c",
        ),
    ];
    let good = good.map(String::into_bytes);
    sim::fuzz::run("multipart", &good, |input| {
        // Where the network cuts a body changes nothing.
        let whole = parse(input, input.len().max(1));
        for piece in [1, 7] {
            assert_eq!(parse(input, piece), whole, "in pieces of {piece}");
        }
    });
}
