//! What is refused, and what the refusal says.

use expect_test::{Expect, expect};
use protocol::{
    DatasetId,
    api::Page,
    dataset::{Item, UploadReport},
    problem::Problem,
};
use reqwest::{
    Method, StatusCode,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::{
    app::{TestApp, empty, problem, take},
    pictures,
};

fn shown(problem: &Problem) -> String {
    let errors: Vec<String> = problem.errors.iter().map(ToString::to_string).collect();
    if errors.is_empty() {
        format!("{}: {}", problem.kind, problem.title)
    } else {
        format!("{}: {}", problem.kind, errors.join("; "))
    }
}

async fn items(app: &TestApp, id: DatasetId) -> Vec<Item> {
    let page: Page<Item> = app.get(&format!("/api/v1/datasets/{id}/items")).await;
    page.items
}

#[tokio::test]
async fn each_bad_file_is_named_and_the_rest_goes_on() {
    let app = TestApp::start().await;
    let dataset = app.dataset("mixed").await;
    let report = app
        .upload(
            &dataset,
            vec![
                ("good.png", pictures::png(1, 128, 128)),
                ("text.png", b"this is no picture".to_vec()),
                ("empty.png", Vec::new()),
                ("half.jpg", pictures::truncated_jpeg()),
                ("small.png", pictures::png(2, 63, 128)),
                (
                    "evil.zip",
                    pictures::zip(&[("../../evil.png", pictures::png(3, 128, 128))]),
                ),
                ("bomb.zip", pictures::bomb()),
                ("latin1.txt", b"caf\xe9".to_vec()),
                ("latin1.png", pictures::png(4, 128, 128)),
                ("lonely.txt", b"a caption without a picture".to_vec()),
                ("twice.png", pictures::png(1, 128, 128)),
                (
                    "fine.zip",
                    pictures::zip(&[
                        ("in/zip.png", pictures::png(5, 128, 128)),
                        ("in/zip.txt", b"from an archive".to_vec()),
                    ]),
                ),
            ],
        )
        .await;
    let accepted: Vec<_> = report
        .accepted
        .iter()
        .map(|item| item.file_name.as_str())
        .collect();
    assert_eq!(accepted, ["good.png", "latin1.png", "in/zip.png"]);
    assert_eq!(report.accepted[2].caption, "from an archive");
    assert_eq!(report.dataset.n_items, 3);
    let refused: Vec<String> = report
        .refused
        .iter()
        .map(|file| format!("{}: {}\n", file.file_name, file.reason))
        .collect();
    expect![[r#"
        text.png: is not a picture but text: pictures are PNG, JPEG, WebP, BMP, GIF or TIFF files
        empty.png: is empty
        half.jpg: is a damaged JPEG file: it ends in the middle of the picture; export it again
        small.png: is 63×128, which is too small: each side needs at least 64 pixels
        evil.zip/../../evil.png: has `..` in its name, which leads out of the archive
        bomb.zip: is a zip bomb: it unpacks to more than 200 times its size
        latin1.txt: is not UTF-8 text: byte 3 is 0xe9, as in a Windows or Latin-1 code page; save the caption as UTF-8
        twice.png: shows the same pixels as `good.png`: a picture counts once
        lonely.txt: is a caption without a picture: no picture named `lonely` was accepted; give both the same name
    "#]].assert_eq(&refused.concat());
    assert_eq!(items(&app, dataset.id).await, report.accepted);
}

#[tokio::test]
async fn an_upload_with_long_names_and_values_is_refused() {
    let app = TestApp::start().await;
    let dataset = app.dataset("long").await;
    let path = format!("/api/v1/datasets/{}/items", dataset.id);
    let post = |body: String| {
        let request = app.request(Method::POST, &path);
        request
            .header("content-type", "multipart/form-data; boundary=x")
            .body(body)
    };
    let part = |headers: &str, content: &str| {
        format!("--x\r\ncontent-disposition: form-data; {headers}\r\n\r\n{content}\r\n")
    };
    let check = async |body: String, status, expect: Expect| {
        expect.assert_eq(&shown(&problem(status, post(body)).await));
    };
    let long = "n".repeat(20_000);
    check(
        part("name=\"split\"", &"t".repeat(1000)) + "--x--\r\n",
        StatusCode::BAD_REQUEST,
        expect!["invalid_request: split: must be one of `train`, `held_out`, not `tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt…`"],
    )
    .await;
    check(
        part("name=\"split\"", &long),
        StatusCode::BAD_REQUEST,
        expect!["invalid_request: split: must have at most 4096 bytes"],
    )
    .await;
    check(
        part(&format!("name=\"{}\"", &long[..1000]), "x"),
        StatusCode::BAD_REQUEST,
        expect!["invalid_request: nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn…: is neither a file nor `split`: send files with a file name"],
    )
    .await;
    check(
        part(&format!("name=\"files\"; filename=\"{long}\""), "x"),
        StatusCode::PAYLOAD_TOO_LARGE,
        expect!["too_large: a part of the upload has headers of more than 8192 bytes: give its file a shorter name; nothing of the upload was kept"],
    )
    .await;
    check(
        format!("{long}\r\n--x--"),
        StatusCode::PAYLOAD_TOO_LARGE,
        expect!["too_large: the upload has more than 4096 bytes before its first part: send it as browsers and `curl --form` do; nothing of the upload was kept"],
    )
    .await;
    let endless = reqwest::Body::wrap_stream(futures::stream::repeat_with(|| {
        Ok::<_, std::io::Error>("n".repeat(1 << 16))
    }));
    let request = app
        .request(Method::POST, &path)
        .header("content-type", "multipart/form-data; boundary=x");
    // The server answers and closes; whether the client sees the answer or the closed connection is a race.
    if let Ok(response) = request.body(endless).send().await {
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
    let taken = app
        .upload(&dataset, vec![("a.png", pictures::png(1, 64, 64))])
        .await;
    assert_eq!(taken.accepted.len(), 1);
}

#[tokio::test]
async fn an_upload_without_files_is_refused() {
    let app = TestApp::start().await;
    let dataset = app.dataset("empty").await;
    let path = format!("/api/v1/datasets/{}/items", dataset.id);
    let post = || app.request(Method::POST, &path);
    let check = async |request, status, expect: Expect| {
        expect.assert_eq(&shown(&problem(status, request).await));
    };
    check(
        post().multipart(Form::new().text("split", "train")),
        StatusCode::BAD_REQUEST,
        expect!["invalid_request: files: the upload holds no file: send pictures, `.txt` captions or `.zip` archives of them"],
    )
    .await;
    check(
        post().multipart(Form::new().text("split", "test")),
        StatusCode::BAD_REQUEST,
        expect!["invalid_request: split: must be one of `train`, `held_out`, not `test`"],
    )
    .await;
    check(
        post().multipart(Form::new().text("caption", "zora")),
        StatusCode::BAD_REQUEST,
        expect!["invalid_request: caption: is neither a file nor `split`: send files with a file name"],
    )
    .await;
    check(
        post().body("pictures"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        expect!["unsupported_media_type: an upload must be `multipart/form-data` with a boundary, as browsers and `curl --form` send it"],
    )
    .await;
    check(
        post()
            .header("content-type", "multipart/form-data; boundary=x")
            .body("--x\r\ncontent-disposition: form-data; name=\"files\"; filename=\"a.png\"\r\n\r\nhalf"),
        StatusCode::BAD_REQUEST,
        expect!["invalid_request: the upload ended in the middle of the part `files`; nothing of it was kept, send it again"],
    )
    .await;
    let unknown = format!("/api/v1/datasets/{}/items", DatasetId::new());
    let form = Form::new().part(
        "files",
        Part::bytes(pictures::png(1, 128, 128)).file_name("a.png"),
    );
    let request = app.request(Method::POST, &unknown).multipart(form);
    assert_eq!(problem(StatusCode::NOT_FOUND, request).await.kind, "not_found");
    assert_eq!(items(&app, dataset.id).await, []);
}

#[tokio::test]
async fn files_are_for_what_the_field_before_them_says() {
    let app = TestApp::start().await;
    let dataset = app.dataset("split").await;
    let file = |seed, name| Part::bytes(pictures::png(seed, 128, 128)).file_name(name);
    let form = Form::new()
        .part("files", file(1, "a.png"))
        .text("split", "held_out")
        .part("files", file(2, "b.png"))
        .text("split", "train")
        .part("files", file(3, "c.png"));
    let path = format!("/api/v1/datasets/{}/items", dataset.id);
    let report: UploadReport = take(StatusCode::OK, app.request(Method::POST, &path).multipart(form)).await;
    let splits: Vec<_> = report.accepted.iter().map(|item| json!(item.split)).collect();
    assert_eq!(splits, ["train", "held_out", "train"]);

    // A caption that comes later finds its picture.
    let later = app
        .upload(&dataset, vec![("b.txt", b"zora, later".to_vec())])
        .await;
    assert_eq!(later.accepted[0].caption, "zora, later");
    assert_eq!(later.dataset.n_captioned, 1);

    // Pages.
    let page: Page<Item> = app.get(&format!("{path}?limit=2")).await;
    assert_eq!(page.items.len(), 2);
    let rest: Page<Item> = app
        .get(&format!("{path}?limit=2&after={}", page.next.unwrap()))
        .await;
    assert_eq!((rest.items[0].file_name.as_str(), rest.next), ("c.png", None));

    // Changes.
    let item = format!("{path}/{}", page.items[0].id);
    let change = json!({"caption": "zora, new", "split": "held_out"});
    let changed: Item = take(StatusCode::OK, app.request(Method::PATCH, &item).json(&change)).await;
    assert_eq!(
        (changed.caption.as_str(), json!(changed.split)),
        ("zora, new", json!("held_out"))
    );
    empty(StatusCode::NO_CONTENT, app.request(Method::DELETE, &item)).await;
    problem(StatusCode::NOT_FOUND, app.request(Method::DELETE, &item)).await;
    let gone = format!("/api/v1/datasets/{}", dataset.id);
    empty(StatusCode::NO_CONTENT, app.request(Method::DELETE, &gone)).await;
    problem(StatusCode::NOT_FOUND, app.request(Method::GET, &gone)).await;
}

/// A job's request on a fine dataset, with some fields changed.
async fn check_job(app: &TestApp, dataset: DatasetId, change: Value, expect: Expect) {
    let mut request = json!({"dataset_id": dataset, "base_model": "tiny-xl", "name": "zora"});
    request
        .as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    let bad = StatusCode::BAD_REQUEST;
    let job = app.refused(bad, Method::POST, "/api/v1/jobs", &request).await;
    let estimate = app
        .refused(bad, Method::POST, "/api/v1/jobs/estimate", &request)
        .await;
    assert_eq!(job, estimate);
    expect.assert_eq(&shown(&job));
}

#[tokio::test]
async fn each_wrong_field_of_a_job_is_named() {
    let app = TestApp::start().await;
    let id = app.small_dataset().await.id;
    let check = async |change, expect| check_job(&app, id, change, expect).await;
    check(
        json!({"parameters": {"rank": 0}}),
        expect!["invalid_request: parameters.rank: must be from 1 to 256, not 0"],
    )
    .await;
    check(
        json!({"parameters": {"learning_rate": -1}}),
        expect!["invalid_request: parameters.learning_rate: must be above 0 and at most 1, not -1"],
    )
    .await;
    check(
        json!({"parameters": {"rank": 0, "n_steps": 0, "resolution": 100}, "name": "a/b"}),
        expect![[r#"invalid_request: parameters.n_steps: must be from 1 to 1000000, not 0; parameters.rank: must be from 1 to 256, not 0; parameters.resolution: must be a multiple of 8, not 100; name: names a file, so it must not start with a dot or contain / \ : * ? " < > |"#]],
    )
    .await;
    check(
        json!({"base_model": "sdxl"}),
        expect!["invalid_request: base_model: must be one of `tiny-xl`, not `sdxl`"],
    )
    .await;
    check(
        json!({"preset": "landscape"}),
        expect!["invalid_request: preset: must be one of `character`, `style`, `concept`, not `landscape`"],
    )
    .await;
    check(json!({"dataset": 1}), expect!["invalid_request: dataset: is not a known field; valid fields are `dataset_id`, `base_model`, `name`, `trigger_word`, `preset`, `family`, `engine`, `provider`, `priority`, `parameters`, `n_epochs`, `sample_prompts`, `start_from`, `limit_micro_usd`, `project`, `note`, `rental`, `estimate_hash`"]).await;
    let jobs: Page<Value> = app.get("/api/v1/jobs").await;
    assert_eq!(jobs.items, Vec::<Value>::new());
}

#[tokio::test]
async fn a_learning_rate_that_is_no_number_is_no_json() {
    let app = TestApp::start().await;
    let request = app
        .request(Method::POST, "/api/v1/jobs")
        .header("content-type", "application/json")
        .body(r#"{"parameters": {"learning_rate": NaN}}"#);
    let problem = problem(StatusCode::BAD_REQUEST, request).await;
    expect!["invalid_request: the body is not JSON: expected value at line 1 column 34"]
        .assert_eq(&shown(&problem));
}

#[tokio::test]
async fn an_empty_dataset_cannot_be_trained_on() {
    let app = TestApp::start().await;
    let dataset = app.dataset("empty").await;
    check_job(
        &app,
        dataset.id,
        json!({}),
        expect!["invalid_request: dataset_id: the dataset has no pictures: upload some first"],
    )
    .await;
}

#[tokio::test]
async fn requests_of_the_wrong_shape_are_refused() {
    let app = TestApp::start().await;
    let check = async |status, method, path: &str, body, expect: Expect| {
        expect.assert_eq(&shown(&app.refused(status, method, path, &body).await));
    };
    let bad = StatusCode::BAD_REQUEST;
    let datasets = "/api/v1/datasets";
    check(
        bad,
        Method::POST,
        datasets,
        json!({"name": ""}),
        expect!["invalid_request: name: must have 1 to 80 characters on one line"],
    )
    .await;
    check(
        bad,
        Method::POST,
        datasets,
        json!({"name": "n", "owner": 1}),
        expect!["invalid_request: owner: is not a known field; valid fields are `name`"],
    )
    .await;
    check(
        bad,
        Method::GET,
        "/api/v1/jobs?limit=0",
        json!(null),
        expect!["invalid_request: limit: must be from 1 to 500, not 0"],
    )
    .await;
    check(
        bad,
        Method::GET,
        "/api/v1/jobs?limit=many",
        json!(null),
        expect!["invalid_request: limit: must be a non-negative whole number"],
    )
    .await;
    check(
        bad,
        Method::GET,
        "/api/v1/jobs?page=2",
        json!(null),
        expect!["invalid_request: page: is not a known field; valid fields are `after`, `limit`"],
    )
    .await;
    check(
        bad,
        Method::GET,
        "/api/v1/jobs?after=x",
        json!(null),
        expect!["invalid_request: after: must be `next` of an earlier response"],
    )
    .await;
    check(
        bad,
        Method::GET,
        "/api/v1/presets?base_model=sd15",
        json!(null),
        expect!["invalid_request: base_model: must be one of `tiny-xl`, not `sd15`"],
    )
    .await;
    let generation = json!({"base_model": "tiny-xl", "prompt": "p", "n_steps": 0, "width": 100});
    check(bad, Method::POST, "/api/v1/generations", generation, expect!["invalid_request: n_steps: must be from 1 to 150, not 0; width: must be a multiple of 8 from 64 to 2048, not 100"]).await;
    let unknown_lora = json!({
        "base_model": "tiny-xl",
        "prompt": "p",
        "loras": [{"model_version_id": "01890000-0000-7000-8000-000000000000", "weight": 1}],
    });
    check(
        bad,
        Method::POST,
        "/api/v1/generations",
        unknown_lora,
        expect!["invalid_request: loras[0].model_version_id: there is no model version `01890000-0000-7000-8000-000000000000`"],
    )
    .await;
    let missing = StatusCode::NOT_FOUND;
    check(
        missing,
        Method::GET,
        "/api/v1/jobs/seven",
        json!(null),
        expect![
            "not_found: the API has no route `/api/v1/jobs/seven`; GET /api/openapi.json lists all of them"
        ],
    )
    .await;
    check(
        missing,
        Method::GET,
        "/api/v1/nothing",
        json!(null),
        expect!["not_found: the API has no route `/api/v1/nothing`; GET /api/openapi.json lists all of them"],
    )
    .await;
    check(
        missing,
        Method::GET,
        "/api/v2/jobs",
        json!(null),
        expect!["not_found: the API has no route `/api/v2/jobs`; GET /api/openapi.json lists all of them"],
    )
    .await;
    let id = DatasetId::new();
    let problem = app
        .refused(missing, Method::GET, &format!("{datasets}/{id}"), &json!(null))
        .await;
    assert_eq!(problem.title, format!("there is no dataset `{id}`"));
    check(
        StatusCode::METHOD_NOT_ALLOWED,
        Method::PUT,
        datasets,
        json!(null),
        expect!["method_not_allowed: PUT is not a method of this route; GET /api/openapi.json lists them"],
    )
    .await;
}

#[tokio::test]
async fn a_body_must_be_json_of_a_sensible_size() {
    let app = TestApp::start().await;
    let post = || app.request(Method::POST, "/api/v1/datasets");
    let plain = problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, post().body("name=n")).await;
    expect!["unsupported_media_type: the body must be JSON, sent with `content-type: application/json`"]
        .assert_eq(&shown(&plain));
    let huge = json!({"name": "n".repeat(5 << 20)});
    let huge = problem(StatusCode::PAYLOAD_TOO_LARGE, post().json(&huge)).await;
    expect!["too_large: a JSON body must have at most 4 MiB"].assert_eq(&shown(&huge));
}
