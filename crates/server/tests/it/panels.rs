//! Comic pages of a dataset, and the panels that they are split into.

use dataset::picture::{mask_in, read_normalized};
use image::{Rgb, RgbImage};
use protocol::{
    api::Page,
    dataset::{Dataset, Item},
    finding::{DatasetFindings, FindingCode},
    job::Job,
    page::{FoundPanels, MadePanels, PageFrame},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{TestApp, problem, take};

/// Left and top of the panels of a drawn page, row by row.
const PLACES: [(u32, u32); 4] = [(20, 20), (320, 20), (20, 420), (320, 420)];
const PANEL: (u32, u32) = (280, 380);

/// A page of four panels with black frames on white.
fn page() -> RgbImage {
    RgbImage::from_fn(620, 820, |x, y| {
        let inside = PLACES.iter().position(|&(left, top)| {
            (left..left + PANEL.0).contains(&x) && (top..top + PANEL.1).contains(&y)
        });
        let Some(panel) = inside else {
            return Rgb([255; 3]);
        };
        let (x, y) = (x - PLACES[panel].0, y - PLACES[panel].1);
        let is_frame = x < 4 || y < 4 || x >= PANEL.0 - 4 || y >= PANEL.1 - 4;
        match is_frame {
            true => Rgb([0; 3]),
            false => Rgb([
                60 + (x / 3) as u8,
                40 + (y / 4) as u8,
                30 + 40 * panel as u8 + ((x / 9 + y / 7) % 20) as u8,
            ]),
        }
    })
}

fn frame(panel: usize) -> PageFrame {
    PageFrame {
        left: PLACES[panel].0,
        top: PLACES[panel].1,
        width: PANEL.0,
        height: PANEL.1,
    }
}

/// A dataset with the page and a picture that is none, and the page.
async fn with_page(app: &TestApp) -> (Dataset, Item) {
    let dataset = app.dataset("zora").await;
    let files = vec![
        ("page-03.png", dataset::picture::encode_png(&page())),
        ("page-03.txt", b"zora, flying".to_vec()),
        ("single.png", crate::pictures::png(3, 128, 128)),
    ];
    let report = app.upload(&dataset, files).await;
    let page = report
        .accepted
        .into_iter()
        .find(|item| item.file_name == "page-03.png");
    (report.dataset, page.unwrap())
}

fn path(dataset: &Dataset, page: &Item) -> String {
    format!("/api/v1/datasets/{}/items/{}/panels", dataset.id, page.id)
}

async fn split(app: &TestApp, dataset: &Dataset, page: &Item, frames: &[PageFrame]) -> MadePanels {
    let body = json!({ "frames": frames });
    app.post(StatusCode::OK, &path(dataset, page), &body).await
}

async fn items(app: &TestApp, dataset: &Dataset) -> Vec<Item> {
    let page: Page<Item> = app.get(&format!("/api/v1/datasets/{}/items", dataset.id)).await;
    page.items
}

fn names(items: &[Item]) -> Vec<&str> {
    items.iter().map(|item| item.file_name.as_str()).collect()
}

async fn whole_pages(app: &TestApp, dataset: &Dataset) -> Vec<String> {
    let path = format!("/api/v1/datasets/{}/check", dataset.id);
    let checked: DatasetFindings = app.post(StatusCode::OK, &path, &json!({})).await;
    let found = checked.findings.into_iter();
    let found = found.filter(|finding| finding.code == FindingCode::WholePage);
    found
        .flat_map(|finding| finding.pictures)
        .map(|picture| picture.file_name)
        .collect()
}

#[tokio::test]
async fn a_page_is_found_and_becomes_panels_that_are_trained_on_instead() {
    let app = TestApp::start().await;
    let (dataset, page) = with_page(&app).await;
    assert_eq!(whole_pages(&app, &dataset).await, ["page-03.png"]);

    let found: FoundPanels = app
        .get(&format!("{}?order=right_to_left", path(&dataset, &page)))
        .await;
    assert!(found.is_page);
    let frames: Vec<PageFrame> = found.panels.iter().map(|panel| panel.frame).collect();
    assert_eq!(frames.len(), 4, "{frames:?}");
    assert!(frames[0].overlap(&frame(1)) > 0.9, "the right one is read first");
    assert_eq!(items(&app, &dataset).await.len(), 2, "nothing was changed");

    let made = split(&app, &dataset, &page, &[frame(1), frame(0), frame(2), frame(3)]).await;
    assert!(made.page.set_aside);
    assert_eq!((made.n_replaced, made.refused.len(), made.kept.len()), (0, 0, 0));
    assert_eq!(
        names(&made.panels),
        [
            "page-03-panel-1.png",
            "page-03-panel-2.png",
            "page-03-panel-3.png",
            "page-03-panel-4.png"
        ]
    );
    for (number, panel) in (1..).zip(&made.panels) {
        assert_eq!((panel.caption.as_str(), panel.set_aside), ("zora, flying", false));
        let of = panel.panel.unwrap();
        assert_eq!((of.page_id, of.number), (page.id, number));
    }
    let file = app
        .anonymous(Method::GET, &made.panels[0].url)
        .send()
        .await
        .unwrap();
    let cut = read_normalized(&file.bytes().await.unwrap()).unwrap();
    assert_eq!(cut.dimensions(), PANEL);
    assert_eq!(cut.get_pixel(50, 60), self::page().get_pixel(370, 80));

    assert_eq!(whole_pages(&app, &dataset).await, Vec::<String>::new());
    let request = json!({
        "dataset_id": dataset.id, "base_model": "tiny-xl", "name": "zora",
        "parameters": {"n_steps": 4, "rank": 4},
    });
    let job: Job = app.post(StatusCode::CREATED, "/api/v1/jobs", &request).await;
    let version: Value = app.get(&format!("/api/v1/jobs/{}/dataset-changes", job.id)).await;
    assert_eq!(version["n_removed"], 0, "the page is no picture of the job");
    assert_eq!(version["n_added"], 0);

    // Without its panels, the page is trained on again.
    for panel in &made.panels {
        let path = format!("/api/v1/datasets/{}/items/{}", dataset.id, panel.id);
        crate::app::empty(StatusCode::NO_CONTENT, app.request(Method::DELETE, &path)).await;
    }
    let left = items(&app, &dataset).await;
    assert!(left.iter().all(|item| !item.set_aside));
}

#[tokio::test]
async fn splitting_again_replaces_panels_but_for_edited_ones() {
    let app = TestApp::start().await;
    let (dataset, page) = with_page(&app).await;
    let first = split(&app, &dataset, &page, &[frame(0), frame(1), frame(2)]).await;
    let edit = |panel: &Item| {
        let path = format!("/api/v1/datasets/{}/items/{}", dataset.id, panel.id);
        app.request(Method::PATCH, &path)
            .json(&json!({ "caption": "zora, landing" }))
    };
    let _: Item = take(StatusCode::OK, edit(&first.panels[0])).await;
    let _: Item = take(StatusCode::OK, edit(&first.panels[1])).await;

    // The second is cut as before, the first and the third are not.
    let smaller = PageFrame {
        width: 200,
        ..frame(2)
    };
    let second = split(&app, &dataset, &page, &[frame(1), smaller]).await;
    assert_eq!(second.n_replaced, 1);
    let ids = |items: &[Item]| items.iter().map(|item| item.id).collect::<Vec<_>>();
    assert_eq!(ids(&second.kept), [first.panels[0].id]);
    assert_eq!(second.panels[0].id, first.panels[1].id, "the same pixels");
    assert_eq!(second.panels[0].caption, "zora, landing");
    assert_eq!(second.panels[0].panel.unwrap().number, 1);
    assert_eq!(second.panels[1].caption, "zora, flying");
    assert_eq!(second.panels[1].file_name, "page-03-panel-2-2.png");
    let all = items(&app, &dataset).await;
    assert!(all.iter().all(|item| item.id != first.panels[2].id));
    assert_eq!(all.len(), 5, "page, single picture, kept panel, two panels");

    // A page that is deleted leaves its panels.
    let gone = format!("/api/v1/datasets/{}/items/{}", dataset.id, page.id);
    crate::app::empty(StatusCode::NO_CONTENT, app.request(Method::DELETE, &gone)).await;
    let all = items(&app, &dataset).await;
    assert_eq!(all.len(), 4);
    assert!(all.iter().all(|item| item.panel.is_none()));
}

#[tokio::test]
async fn frames_beside_the_page_are_refused() {
    let app = TestApp::start().await;
    let (dataset, page) = with_page(&app).await;
    let request = |frames: Value| {
        app.request(Method::POST, &path(&dataset, &page))
            .json(&json!({ "frames": frames }))
    };
    let beside = json!([frame(0), { "left": 400, "top": 0, "width": 300, "height": 100 }]);
    let refused = problem(StatusCode::BAD_REQUEST, request(beside)).await;
    let errors: Vec<String> = refused.errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors, ["frames[1]: must lie on the page, which is 620×820"]);
    let refused = problem(StatusCode::BAD_REQUEST, request(json!([]))).await;
    assert_eq!(refused.errors[0].field, "frames");
    // All of the page is the page.
    let whole = json!([{ "left": 0, "top": 0, "width": 620, "height": 820 }]);
    let refused = problem(StatusCode::BAD_REQUEST, request(whole)).await;
    assert!(
        refused.errors[0]
            .message
            .contains("shows the same pixels as `page-03.png`"),
        "{refused:?}"
    );
    let now = items(&app, &dataset).await;
    assert_eq!(now.len(), 2);
    assert!(now.iter().all(|item| !item.set_aside));
}

#[tokio::test]
async fn one_frame_twice_is_one_panel_and_balloons_are_kept_unless_asked() {
    let app = TestApp::start().await;
    let (dataset, page) = with_page(&app).await;
    let body = json!({ "frames": [frame(0), frame(0)], "balloons": "keep" });
    let made: MadePanels = app.post(StatusCode::OK, &path(&dataset, &page), &body).await;
    assert_eq!(names(&made.panels), ["page-03-panel-1.png"]);
    assert_eq!(made.refused[0].file_name, "page-03-panel-2.png");
    assert!(!made.panels[0].has_mask);
    let file = app
        .anonymous(Method::GET, &made.panels[0].url)
        .send()
        .await
        .unwrap();
    assert_eq!(mask_in(&file.bytes().await.unwrap()), None);
}
