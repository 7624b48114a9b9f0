//! Against the results that A1111's documentation gives, and what follows from its rules.

use super::*;

fn read(text: &str) -> Vec<(String, f64)> {
    split_at_breaks(parse(text).pieces)
        .into_iter()
        .map(|piece| match piece {
            Piece::Letters { letters, weight } => (letters.iter().map(|letter| letter.c).collect(), weight),
            Piece::Break => ("BREAK".to_owned(), -1.0),
        })
        .collect()
}

#[track_caller]
fn check(text: &str, expected: &[(&str, f64)]) {
    let found = read(text);
    let is_same = found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(found, expected)| found.0 == expected.0 && (found.1 - expected.1).abs() < 1e-12);
    assert!(is_same, "{text}: {found:?}, expected {expected:?}");
}

/// The examples in the documentation of A1111's `parse_prompt_attention`.
#[test]
fn as_a1111_documents_it() {
    check("normal text", &[("normal text", 1.0)]);
    check(
        "an (important) word",
        &[("an ", 1.0), ("important", 1.1), (" word", 1.0)],
    );
    check("(unbalanced", &[("unbalanced", 1.1)]);
    check(r"\(literal\]", &[("(literal]", 1.0)]);
    check("(unnecessary)(parens)", &[("unnecessaryparens", 1.1)]);
    check(
        "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
        &[
            ("a ", 1.0),
            ("house", 1.573),
            (" ", 1.1),
            ("on", 1.0),
            (" a ", 1.1),
            ("hill", 0.55),
            (", sun, ", 1.1),
            ("sky", 1.4641),
            (".", 1.1),
        ],
    );
}

#[test]
fn weights() {
    for (text, weight) in [
        ("(x)", 1.1),
        ("((x))", 1.21),
        ("[x]", 1.0 / 1.1),
        ("[[x]]", 1.0 / 1.21),
        ("([x])", 1.0),
        ("(x:1.3)", 1.3),
        ("(x: 1.3 )", 1.3),
        ("(x:+.5)", 0.5),
        ("(x:-1)", -1.0),
        ("(x:0)", 0.0),
        ("((x:2):3)", 6.0),
        ("[(x:2)]", 2.0 / 1.1),
        ("(x:1.)", 1.0),
    ] {
        check(text, &[("x", weight)]);
    }
}

#[test]
fn what_is_no_weight_is_letters() {
    check("x:1.3)", &[("x:1.3)", 1.0)]);
    check("(a:b)", &[("a:b", 1.1)]);
    check("(a:1.2.3)", &[("a:1.2.3", 1.1)]);
    check("(a:1.3 b)", &[("a:1.3 b", 1.1)]);
    check("(a:)", &[("a:", 1.1)]);
    check("[a:1.3]", &[("a:1.3", 1.0 / 1.1)]);
    check("10:30", &[("10:30", 1.0)]);
    assert_eq!(
        parse("(a:1.2.3)").warnings[0].to_string(),
        "`1.2.3` at character 3 is not a weight, and is read as letters"
    );
}

#[test]
fn brackets_that_do_not_match() {
    check("a) b", &[("a) b", 1.0)]);
    check("a] b", &[("a] b", 1.0)]);
    check("a [b", &[("a ", 1.0), ("b", 1.0 / 1.1)]);
    check("(a]", &[("a]", 1.1)]);
    check("(a [b) c]", &[("a ", 1.1), ("b", 1.0), (" c", 1.0 / 1.1)]);
    check("smile :)", &[("smile :)", 1.0)]);
    check("sad :(", &[("sad :(", 1.0)]);
    check("()", &[]);
    let warnings: Vec<String> = parse("zö (a ) ) [b")
        .warnings
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        warnings,
        [
            "`)` at character 9 closes nothing and is read as a letter",
            "`[` at character 11 is never closed: its emphasis reaches to the end (write `\\[` for a letter)",
        ]
    );
}

#[test]
fn escapes() {
    check(r"zora \(comic\)", &[("zora (comic)", 1.0)]);
    check(r"(\(x\):1.2)", &[("(x)", 1.2)]);
    check(r"a\\(b)", &[(r"a\", 1.0), ("b", 1.1)]);
    check(r"a\b \", &[(r"a\b \", 1.0)]);
    check(r"\[x\]", &[("[x]", 1.0)]);
    check(r"\<lora:x>", &[("<lora:x>", 1.0)]);
    check(r"\\<lora:x>", &[(r"\", 1.0)]);
}

#[test]
fn escaped_text_is_read_as_its_letters() {
    let text = r"zora (comic:1.2) [ink] \ \( :) ( <lora:x:1> <3";
    check(&escaped(text), &[(text, 1.0)]);
    assert!(parse(&escaped(text)).warnings.is_empty());
    assert_eq!(escaped("zora, smiling"), "zora, smiling");
}

#[test]
fn breaks() {
    check("a BREAK b", &[("a ", 1.0), ("BREAK", -1.0), (" b", 1.0)]);
    check("(a BREAK b:1.2)", &[("a ", 1.2), ("BREAK", -1.0), (" b", 1.2)]);
    check(
        "BREAKFAST, break, aBREAK, BREAK_",
        &[("BREAKFAST, break, aBREAK, BREAK_", 1.0)],
    );
    check("a,BREAK,b", &[("a,", 1.0), ("BREAK", -1.0), (",b", 1.0)]);
    check("BREAK", &[("BREAK", -1.0)]);
}

#[test]
fn tags_leave_the_prompt() {
    check("zora <lora:zora:0.8>, ink", &[("zora , ink", 1.0)]);
    check("(zora <lora:zora:0.8> ink:1.2)", &[("zora  ink", 1.2)]);
    check("zo<lora:zora>ra", &[("zora", 1.0)]);
    check("<hypernet:ink:1> a", &[("<hypernet:ink:1> a", 1.0)]);
    let parsed = parse("<lora:a:1> <lyco:b> <hypernet:ink:1> <lora:c:d>");
    assert_eq!(parsed.loras.len(), 2);
    assert_eq!(parsed.bad_tags.len(), 1);
    assert_eq!(
        parsed.warnings[0].to_string(),
        "`<hypernet:ink:1>` is not a LoRA tag, and is read as letters"
    );
}

#[test]
fn what_a1111_schedules_is_warned_about() {
    for (text, written) in [
        ("[cat:dog:0.5]", "[cat:dog:0.5]"),
        ("[cat|dog] in a hat", "[cat|dog]"),
        ("cat AND dog", "AND"),
    ] {
        let warning = Warning::Schedule {
            written: written.to_owned(),
        };
        assert_eq!(parse(text).warnings, [warning], "{text}");
    }
    assert!(parse("[cat: dog], SAND").warnings.is_empty());
}

#[test]
fn weights_have_a_limit() {
    check("(x:1000)", &[("x", 100.0)]);
    assert_eq!(parse("(x:1000) (y:-1000)").warnings, [Warning::TooStrong]);
    let deep = format!("{}x{}", "(".repeat(2000), ")".repeat(2000));
    check(&deep, &[("x", 100.0)]);
}

#[test]
fn literally_nothing_is_read() {
    let text = r"a (b:1.3) \( BREAK <lora:x:1> [";
    let parsed = literally(text);
    let [Piece::Letters { letters, weight: 1.0 }] = &parsed.pieces[..] else {
        panic!("{:?}", parsed.pieces);
    };
    assert_eq!(letters.iter().map(|letter| letter.c).collect::<String>(), text);
    assert!(parsed.loras.is_empty() && parsed.warnings.is_empty());
}
