//! What ends a picture that diffusers draws, and who has the GPU.

use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

use protocol::generation::Preview;

use super::*;
use crate::link::Link;

/// A Python with diffusers in a folder, which does as it is planned.
fn stand_in(folder: &Path, plan: &str) -> Diffusers {
    let python = folder.join("python");
    fs::write(&python, include_str!("../../tests/it/diffusers/child.py")).unwrap();
    fs::set_permissions(&python, Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.join("plan.json"), plan).unwrap();
    Diffusers::new(python)
}

/// Starts diffusers' child as a picture does, and answers its process.
async fn draw(renderer: &Renderer, folder: &Path) -> PathBuf {
    let hold = renderer.turn(|_| ()).await;
    let mut loaded = renderer.loaded.lock().unwrap();
    loaded.hold = hold;
    loaded.diffusers.as_mut().unwrap().hello().unwrap();
    drop(loaded);
    renderer.drawn.send_replace(());
    let log = fs::read_to_string(folder.join("log.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    let process = Path::new("/proc").join(last["pid"].to_string());
    assert!(process.exists());
    process
}

async fn wait_until_gone(process: &Path) {
    while process.exists() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_memory_is_given_back_when_nothing_was_drawn_for_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let gpu = Gpu::of(folder.path());
    let mut settings = stand_in(folder.path(), "{}");
    settings.rest_after = Duration::from_millis(100);
    let renderer = Renderer::new(Some(settings), gpu.clone()).unwrap();
    for _ in 0..2 {
        let process = draw(&renderer, folder.path()).await;
        assert!(gpu.is_drawn_on());
        wait_until_gone(&process).await;
        gpu.until_undrawn().await;
    }
}

#[tokio::test]
async fn a_training_gets_the_memory_and_pictures_wait_for_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let gpu = Gpu::of(folder.path());
    let renderer = Renderer::new(Some(stand_in(folder.path(), "{}")), gpu.clone()).unwrap();
    let process = draw(&renderer, folder.path()).await;
    let training = gpu.want().unwrap();
    gpu.until_undrawn().await;
    wait_until_gone(&process).await;

    let (training, said) = (Mutex::new(Some(training)), Mutex::new(Vec::new()));
    let hold = renderer
        .turn(|words| {
            said.lock().unwrap().push(words.to_owned());
            training.lock().unwrap().take();
        })
        .await;
    assert!(hold.is_some());
    assert_eq!(*said.lock().unwrap(), [WAITING, RENDERING]);
}

#[test]
fn a_picture_is_cancelled_while_diffusers_starts() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = stand_in(folder.path(), r#"{ "hello": [{ "hangs": true }] }"#);
    settings.grace = Duration::from_millis(200);
    let engine = Engine::new(settings).unwrap();
    let outline = engine.outline("tiny-xl", &BaseOptions::default()).unwrap();
    let mut loaded = Loaded {
        base: None,
        colors: None,
        loras: HashMap::new(),
        diffusers: Some(engine),
        hold: None,
    };
    let drawn = loaded.draw_elsewhere(
        &outline,
        &[],
        &picture_request(&rendering(1)).unwrap(),
        (&mut Previews::new(&|_| ()), &|| true, &Pulse::new(Link::none())),
    );
    assert_eq!(drawn.unwrap_err(), "cancelled");
}

fn rendering(n_steps: u32) -> Rendering {
    let request = serde_json::json!({
        "base_model": "tiny-xl", "prompt": "zora", "seed": 1, "n_steps": n_steps, "guidance": 1.0, "width": 64,
        "height": 128,
    });
    serde_json::from_value(request).unwrap()
}

/// The previews of a picture, of as many steps, with what is loaded.
fn previews_of(loaded: &mut Loaded, n_steps: u32, folder: &Path) -> Vec<Preview> {
    let wanted = Wanted {
        base: Base::BuiltIn("tiny-xl".into()),
        options: BaseOptions::default(),
        measurements: Measurements::at(folder),
        room: Room::default(),
    };
    let shown = Mutex::new(Vec::new());
    let tell = |preview| shown.lock().unwrap().push(preview);
    let (mut previews, path) = (Previews::new(&tell), folder.join("picture.png"));
    let (is_dropped, pulse) = (AtomicBool::new(false), Pulse::new(Link::none()));
    let control = (&mut previews, &is_dropped, &pulse);
    loaded
        .render(&wanted, &[], &rendering(n_steps), &path, control)
        .unwrap();
    assert!(path.exists());
    shown.into_inner().unwrap()
}

#[test]
fn both_engines_show_the_picture_before_it_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let with_diffusers = Engine::new(stand_in(folder.path(), "{}")).unwrap();
    for diffusers in [None, Some(with_diffusers)] {
        let mut loaded = Loaded {
            base: None,
            colors: None,
            loras: HashMap::new(),
            diffusers,
            hold: None,
        };
        for _ in 0..2 {
            let previews = previews_of(&mut loaded, 3, folder.path());
            assert_eq!((previews[0].step, previews[0].n_steps), (1, 3));
            assert!(previews.iter().all(Preview::is_fit));
            assert!(previews.iter().all(|preview| preview.step < 3), "{previews:?}");
            // Of one step the picture follows at once.
            assert!(previews_of(&mut loaded, 1, folder.path()).is_empty());
        }
    }
    // The stand-in was asked for the colors once, and for each picture.
    let log = fs::read_to_string(folder.path().join("log.jsonl")).unwrap();
    assert_eq!(log.matches(r#""op": "decode""#).count(), 1 + 4);
}
