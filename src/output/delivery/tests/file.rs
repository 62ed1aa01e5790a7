use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::super::{FileOptions, FileTarget, Lines, Names, Rotation, Target};
use super::{chunk, numbered};

const BY_SIZE: Rotation =
    Rotation { size: Some(100), every: None, names: Names::Numbered, keep: 1000 };

fn options(folder: &Path, rotation: Option<Rotation>) -> FileOptions {
    FileOptions { rotation, ..FileOptions::new(folder.join("eve.json")) }
}

fn write(target: &mut FileTarget, lines: &[&str]) {
    let mut lines = Lines::new(chunk(lines));
    target.write(&mut lines).unwrap();
    assert!(lines.is_empty());
}

/// The files of a folder by name.
fn contents(folder: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

#[test]
fn rotation_by_size_loses_nothing_and_splits_at_line_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut target = FileTarget::open(options(folder.path(), Some(BY_SIZE))).unwrap();
    let all = numbered("line ", 500);
    let lines: Vec<_> = all.lines().collect();
    for part in lines.chunks(37) {
        write(&mut target, part);
    }
    let long = "x".repeat(250);
    write(&mut target, &[&long, "last"]);
    let files = contents(folder.path());
    for (name, content) in &files {
        assert!(content.ends_with('\n'), "{name}");
        assert!(content.len() <= 100 || content.len() == 251, "{name}: {}", content.len());
    }
    let age = |name: &str| name.strip_prefix("eve.json.").map_or(0, |n| n.parse::<i32>().unwrap());
    let mut names: Vec<_> = files.keys().collect();
    names.sort_by_key(|name| -age(name));
    let joined: String = names.into_iter().map(|name| files[name].as_str()).collect();
    assert_eq!(joined, format!("{all}{long}\nlast\n"));
}

#[test]
fn only_so_many_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let rotation = Rotation { keep: 2, size: Some(4), ..BY_SIZE };
    let mut target = FileTarget::open(options(folder.path(), Some(rotation))).unwrap();
    write(&mut target, &["one", "two", "six", "ten", "end"]);
    let files = contents(folder.path());
    let expected = [("eve.json", "end\n"), ("eve.json.1", "ten\n"), ("eve.json.2", "six\n")];
    assert_eq!(files, expected.map(|(n, c)| (n.to_owned(), c.to_owned())).into());
}

/// The clock of the next test.
static NOW: AtomicU64 = AtomicU64::new(1_795_409_759);

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW.load(Relaxed))
}

#[test]
fn rotation_by_time_names_files_by_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("eve.json.old"), "somebody's\n").unwrap();
    let every = Some(Duration::from_secs(3600));
    let rotation = Rotation { size: None, every, names: Names::Timed, keep: 2 };
    let options = options(folder.path(), Some(rotation));
    let mut target = FileTarget::with_clock(options, now).unwrap();
    for hour in 0..4 {
        write(&mut target, &[&format!("hour {hour}")]);
        write(&mut target, &["again"]);
        NOW.fetch_add(3600, Relaxed);
    }
    let files = contents(folder.path());
    let expected = [
        ("eve.json", "hour 3\nagain\n"),
        ("eve.json.2026-11-23T06-55-59Z", "hour 1\nagain\n"),
        ("eve.json.2026-11-23T07-55-59Z", "hour 2\nagain\n"),
        ("eve.json.old", "somebody's\n"),
    ];
    assert_eq!(files, expected.map(|(n, c)| (n.to_owned(), c.to_owned())).into());
}

#[test]
fn lines_still_come_when_rotation_fails() {
    let folder = tempfile::tempdir().unwrap();
    let rotation = Rotation { keep: 2, ..BY_SIZE };
    let mut target = FileTarget::open(options(folder.path(), Some(rotation))).unwrap();
    // Nothing can be renamed to a folder's name.
    fs::create_dir_all(folder.path().join("eve.json.1/full")).unwrap();
    fs::create_dir_all(folder.path().join("eve.json.2/full")).unwrap();
    let all = numbered("line ", 100);
    write(&mut target, &all.lines().collect::<Vec<_>>());
    assert!(target.trouble().unwrap().to_string().contains("cannot rotate"));
    assert!(target.trouble().is_none());
    assert_eq!(fs::read_to_string(folder.path().join("eve.json")).unwrap(), all);
}

#[test]
fn logrotate_may_rename_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("eve.json");
    let mut target = FileTarget::open(options(folder.path(), None)).unwrap();
    write(&mut target, &["one"]);
    fs::rename(&path, folder.path().join("eve.json.1")).unwrap();
    write(&mut target, &["two"]);
    target.reopen().unwrap();
    write(&mut target, &["three"]);
    assert_eq!(fs::read_to_string(folder.path().join("eve.json.1")).unwrap(), "one\ntwo\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
}

#[test]
fn a_second_writer_is_kept_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = FileTarget::open(options(folder.path(), None)).unwrap();
    let refused = FileTarget::open(options(folder.path(), None)).unwrap_err();
    assert!(refused.to_string().ends_with("eve.json: another process writes to it"), "{refused}");
    first.reopen().unwrap();
    write(&mut first, &["one"]);
    drop(first);
    FileTarget::open(options(folder.path(), None)).unwrap();
}

#[test]
fn a_reopening_that_fails_keeps_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("eve.json");
    let mut target = FileTarget::open(options(folder.path(), None)).unwrap();
    fs::rename(&path, folder.path().join("eve.json.1")).unwrap();
    fs::create_dir(&path).unwrap();
    target.reopen().unwrap_err();
    write(&mut target, &["one"]);
    assert_eq!(fs::read_to_string(folder.path().join("eve.json.1")).unwrap(), "one\n");
}

#[test]
fn half_a_line_of_a_crash_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("eve.json");
    let long = "x".repeat(200_000);
    for (before, expected) in [
        ("", ""),
        ("half", ""),
        ("one\n", "one\n"),
        ("one\nhalf", "one\n"),
        (&format!("one\n{long}"), "one\n"),
        (&long, ""),
    ] {
        fs::write(&path, before).unwrap();
        let mut target = FileTarget::open(options(folder.path(), None)).unwrap();
        write(&mut target, &["next"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{expected}next\n"));
    }
}

#[test]
fn a_new_file_has_the_mode_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("eve.json");
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
    let asked = FileOptions { mode: 0o666, ..FileOptions::new(&path) };
    FileTarget::open(asked).unwrap();
    assert_eq!(mode(), 0o666, "whatever the umask");
    FileTarget::open(FileOptions { mode: 0o600, ..FileOptions::new(&path) }).unwrap();
    assert_eq!(mode(), 0o666, "the file was there");
}

#[test]
fn a_new_file_gets_its_group() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("eve.json");
    match FileTarget::open(FileOptions { group: Some(54_321), ..FileOptions::new(&path) }) {
        Ok(_) => assert_eq!(fs::metadata(&path).unwrap().gid(), 54_321),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied),
    }
}

#[test]
fn devices_are_written_as_they_are() {
    let mut target =
        FileTarget::open(FileOptions { rotation: Some(BY_SIZE), ..FileOptions::new("/dev/null") })
            .unwrap();
    write(&mut target, &["one", "two"]);
    target.sync().unwrap();
}
