use super::*;

const GB: u64 = 1 << 30;

/// A system's files, of which only these exist.
fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

const MEMINFO: (&str, &str) = (
    "proc/meminfo",
    "MemTotal:       33554432 kB\nMemFree:         1048576 kB\nMemAvailable:   16777216 kB\n",
);

fn free(files: &[(&str, &str)]) -> Option<u64> {
    free_under(system(files).path())
}

#[test]
fn a_machine_without_limits_has_what_is_available() {
    assert_eq!(free(&[MEMINFO]), Some(16 * GB));
    assert_eq!(free(&[]), None);
    let unlimited = [
        MEMINFO,
        ("proc/self/cgroup", "0::/user.slice\n"),
        ("sys/fs/cgroup/user.slice/memory.max", "max\n"),
        ("sys/fs/cgroup/user.slice/memory.current", "1073741824\n"),
    ];
    assert_eq!(free(&unlimited), Some(16 * GB));
}

#[test]
fn the_limit_of_a_group_around_counts_without_pages_of_files() {
    let limited = [
        MEMINFO,
        ("proc/self/cgroup", "0::/pod/container\n"),
        ("sys/fs/cgroup/pod/container/memory.max", "max\n"),
        ("sys/fs/cgroup/pod/memory.max", "8589934592\n"),
        ("sys/fs/cgroup/pod/memory.current", "5368709120\n"),
        (
            "sys/fs/cgroup/pod/memory.stat",
            "anon 1073741824\nfile 4294967296\ninactive_file 1073741824\nactive_file 3221225472\n",
        ),
    ];
    assert_eq!(free(&limited), Some(7 * GB));
}

#[test]
fn older_groups_and_paths_outside_of_a_container_are_read() {
    let limited = [
        MEMINFO,
        (
            "proc/self/cgroup",
            "12:cpu,cpuacct:/x\n5:memory:/docker/0123\n0::/\n",
        ),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "4294967296\n"),
        ("sys/fs/cgroup/memory/memory.usage_in_bytes", "1073741824\n"),
    ];
    assert_eq!(free(&limited), Some(3 * GB));
}

fn drawn(side: u32) -> Drawn {
    Drawn {
        size: PictureSize::new(side, side).unwrap(),
        n_pictures: 1,
        n_steps: 20,
        is_guided: true,
        lora_bytes: 0,
    }
}

#[test]
fn a_picture_that_does_not_fit_is_refused_with_one_that_does() {
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let bytes = base.picture_bytes(&drawn(2048));
    assert_eq!(picture_within(bytes, &base, &drawn(2048)), Ok(()));
    let refusal = picture_within(bytes - 1, &base, &drawn(2048)).unwrap_err();
    assert!(
        refusal.contains("a picture of 2048x2048 takes about"),
        "{refusal}"
    );
    assert!(refusal.contains("1920x1920 would take about"), "{refusal}");
    assert!(refusal.contains("--ignore-memory"), "{refusal}");
    let refusal = picture_within(1000, &base, &drawn(2048)).unwrap_err();
    assert!(refusal.contains("nothing smaller would fit either"), "{refusal}");
    assert_eq!(Room::Ignored.check_picture(&base, &drawn(2048)), Ok(()));
}

#[test]
fn a_training_that_does_not_fit_is_refused_with_one_that_does() {
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let request = protocol::recipe::RecipeRequest {
        name: "test".into(),
        base_model: "tiny-xl".into(),
        overrides: protocol::recipe::ParameterOverrides {
            resolution: Some(1024),
            batch_size: Some(4),
            ..Default::default()
        },
        ..Default::default()
    };
    let recipe = Recipe::resolve(request, protocol::preset::BaseClass::Tiny).unwrap();
    let planning = Planning::new(&base, &recipe, 10);
    let way = Way::of(&recipe);
    let cheaper = Way {
        recomputes: true,
        ..way
    };
    assert_eq!(training_within(u64::MAX, &planning, &recipe), Ok(way));
    let free = planning.bytes(way) - 1;
    assert_eq!(training_within(free, &planning, &recipe), Ok(cheaper));
    let refusal = training_within(planning.bytes(cheaper) - 1, &planning, &recipe).unwrap_err();
    for part in [
        "this training at 1024 pixels with a batch size of 4 takes about",
        "with gradient checkpointing, a batch size of",
        "--ignore-memory",
    ] {
        assert!(refusal.contains(part), "{refusal}");
    }
    let fitting = Room::Ignored.check_training(&base, &recipe, 10).unwrap();
    assert_eq!(fitting.way, way);
    assert!(fitting.said[0].contains(" of memory, "), "{fitting:?}");
}
