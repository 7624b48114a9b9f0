//! What is wrong with a request, by its field.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::{CreateEdit, Edit, KeepBy, KeepRule, Merging};

const ID: &str = "01890000-0000-7000-8000-000000000000";

fn parse(value: Value) -> Result<Edit, String> {
    let request: CreateEdit = serde_json::from_value(value).unwrap();
    request.parse().map_err(|err| err.to_string())
}

#[track_caller]
fn check(value: Value, expected: Expect) {
    expected.assert_eq(&parse(value).unwrap_err());
}

fn loras(n: usize) -> Value {
    vec![json!({ "model_version_id": ID }); n].into()
}

#[test]
fn requests_become_edits() {
    let merge = json!({ "kind": "merge", "loras": loras(2) });
    assert_eq!(
        parse(merge.clone()),
        Ok(Edit::Merge {
            merging: Merging::Concatenate,
            weights: vec![1.0, 1.0],
        })
    );
    let with = |fields: Value| {
        let mut request = merge.clone();
        request
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        match parse(request) {
            Ok(Edit::Merge { merging, .. }) => merging,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        with(json!({ "method": "np_lora" })),
        Merging::NpLora {
            strength: Some(0.5),
            protect: 1.0,
        }
    );
    assert_eq!(
        with(json!({ "method": "np_lora", "hard": true, "protect": 0.9 })),
        Merging::NpLora {
            strength: None,
            protect: 0.9,
        }
    );
    let keep = KeepRule {
        rank: Some(16),
        conv_rank: None,
        by: Some(KeepBy::Frobenius),
        value: Some(0.95),
    };
    assert_eq!(
        with(json!({ "method": "svd", "rank": 16, "keep_by": "frobenius", "keep": 0.95 })),
        Merging::Svd { keep }
    );
    let extract = json!({ "kind": "extract", "base_model": "a", "tuned_model": "b", "rank": 8 });
    assert_eq!(
        parse(extract),
        Ok(Edit::Extract {
            rank: 8,
            conv_rank: None,
        })
    );
}

#[test]
fn what_is_wrong_is_said_by_its_field() {
    check(
        json!({ "kind": "merge", "loras": loras(1) }),
        expect!["loras: must be 2 to 64, not 1"],
    );
    check(
        json!({ "kind": "resize", "loras": loras(2) }),
        expect!["loras: must be one, not 2; rank: required, unless `keep_by` says how much is kept"],
    );
    check(
        json!({ "kind": "resize", "loras": loras(1), "rank": 0, "keep_by": "ratio", "keep": 0.5 }),
        expect!["rank: must be from 1 to 4096; keep: must be above 1, such as 20"],
    );
    check(
        json!({ "kind": "resize", "loras": loras(1), "keep_by": "frobenius" }),
        expect!["keep: required with `keep_by`"],
    );
    check(
        json!({ "kind": "convert", "loras": loras(1), "name": "x" }),
        expect!["name: must be left out: `convert` does not use it; to: required for `convert`"],
    );
    check(
        json!({ "kind": "merge", "loras": loras(2), "rank": 8, "strength": -1.0 }),
        expect![[
            r"strength: must be left out: `merge` by `concatenate` does not use it; rank: must be left out: `merge` by `concatenate` does not use it; strength: must be from 0 to 1000"
        ]],
    );
    check(
        json!({ "kind": "merge", "loras": [{ "model_version_id": ID, "weight": 9.0 }, { "model_version_id": ID }], "method": "svd", "rank": 4 }),
        expect!["loras[0].weight: must be from -4 to 4, not 9"],
    );
    check(
        json!({ "kind": "merge_into", "loras": loras(1) }),
        expect!["base_model: required for `merge_into`"],
    );
    check(
        json!({ "kind": "extract", "loras": loras(1) }),
        expect![
            "loras: must be left out for `extract`; base_model: required for `extract`; tuned_model: required for `extract`; rank: required for `extract`"
        ],
    );
    check(
        json!({ "kind": "weigh", "loras": loras(1), "name": " " }),
        expect!["name: must have 1 to 80 characters; blocks: required for `weigh`"],
    );
}
