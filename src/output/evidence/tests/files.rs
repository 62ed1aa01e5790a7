//! Cases into files, and what becomes of them.

use super::*;

/// Cases with names in order, about a block each.
fn cases(count: u16) -> Vec<Case> {
    let mut scene = Scene::new(&rules(), &Options { packets: 1, memory: 64 << 20, ..options() });
    for client in 10_000..10_000 + count {
        scene.open(client);
        scene.send(client, 1, &[HELLO, PING].concat());
    }
    scene.cases()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn files_are_read_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path(), 1 << 20).unwrap();
    let case = &cases(1)[0];
    writer.write(case).unwrap();
    writer.write(case).unwrap();
    assert_eq!(names(folder.path()), [case.name()]);
    let counters = writer.counters();
    assert_eq!((counters.files, counters.octets, counters.written_files), (1, 4096, 2));
    let mut source = Captures::open(&[folder.path().join(case.name())]).unwrap();
    for (octets, packet) in frames(case).into_iter().zip(&case.packets) {
        let frame = source.next().unwrap().unwrap();
        assert_eq!((frame.data, frame.timestamp), (octets, packet.timestamp));
    }
    assert!(source.next().unwrap().is_none());
}

#[test]
fn the_oldest_files_go_and_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let cases = cases(20);
    fs::write(folder.path().join("notes.pcapng"), b"mine").unwrap();
    fs::write(folder.path().join(format!("{}.part", cases[0].name())), b"half").unwrap();
    let mut writer = Writer::open(folder.path(), 10 * 4096).unwrap();
    for case in &cases[..12] {
        writer.write(case).unwrap();
    }
    let mut expected: Vec<_> = cases[2..12].iter().map(Case::name).collect();
    expected.push("notes.pcapng");
    assert_eq!(names(folder.path()), expected);
    assert_eq!((writer.counters().deleted, writer.counters().octets), (2, 10 * 4096));
    // Those of an earlier run count.
    let mut writer = Writer::open(folder.path(), 6 * 4096).unwrap();
    assert_eq!(names(folder.path()).len(), 7);
    for case in &cases[12..] {
        writer.write(case).unwrap();
    }
    let mut expected: Vec<_> = cases[14..].iter().map(Case::name).collect();
    expected.push("notes.pcapng");
    assert_eq!(names(folder.path()), expected);
    let mut writer = Writer::open(folder.path(), 4095).unwrap();
    assert!(writer.write(&cases[0]).is_err());
    assert_eq!(names(folder.path()), ["notes.pcapng"]);
}

#[test]
fn a_folder_that_is_gone_or_in_the_way_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evidence");
    let cases = cases(3);
    let mut writer = Writer::open(&path, 1 << 20).unwrap();
    writer.write(&cases[0]).unwrap();
    fs::remove_dir_all(&path).unwrap();
    writer.write(&cases[1]).unwrap();
    assert_eq!(names(&path), [cases[1].name()]);
    fs::remove_dir_all(&path).unwrap();
    fs::write(&path, b"a file").unwrap();
    assert!(writer.write(&cases[2]).is_err());
    assert_eq!((writer.counters().errors, writer.counters().written_files), (1, 2));
    // A link where the unfinished file goes is not followed.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let bait = folder.path().join("bait");
    fs::write(&bait, b"untouched").unwrap();
    let link = path.join(format!("{}.part", cases[2].name()));
    std::os::unix::fs::symlink(&bait, link).unwrap();
    writer.write(&cases[2]).unwrap();
    assert_eq!(fs::read(&bait).unwrap(), b"untouched");
}

#[test]
fn an_archive_writes_what_it_is_offered() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { directory: folder.path().to_owned(), ..options() };
    let writer = Writer::open(folder.path(), options.size).unwrap();
    let archive =
        Archive::start(&options, writer, || Ok(()), |change| panic!("{change:?}")).unwrap();
    let cases = cases(20);
    for case in &cases {
        archive.offer(case.clone());
    }
    let (in_time, counters) = archive.finish(Instant::now() + Duration::from_secs(60));
    assert!(in_time);
    assert_eq!((counters.written_files, counters.dropped, counters.waiting), (20, 0, 0));
    assert_eq!(names(folder.path()).len(), 20);
}

/// An archive that hangs when its first case cannot be written, until the sender goes; and its folder.
fn hanging(folder: &Path) -> (Archive, Options, Sender<()>) {
    let directory = folder.join("evidence");
    let options = Options { directory: directory.clone(), ..options() };
    let (go, wait) = channel::<()>();
    let hang = move |_: Result<(), &io::Error>| {
        let _ = wait.recv();
    };
    let writer = Writer::open(&directory, options.size).unwrap();
    fs::remove_dir(&directory).unwrap();
    fs::write(&directory, b"in the way").unwrap();
    let archive = Archive::start(&options, writer, || Ok(()), hang).unwrap();
    archive.offer(cases(1).remove(0));
    while archive.counters().errors == 0 {
        std::thread::yield_now();
    }
    fs::remove_file(&directory).unwrap();
    (archive, options, go)
}

#[test]
fn an_archive_that_hangs_drops_what_it_has_no_room_for() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, options, go) = hanging(folder.path());
    for case in &cases(1000) {
        archive.offer(case.clone());
    }
    let counters = archive.counters();
    assert!(counters.waiting <= options.queue() as u64 && counters.dropped > 100, "{counters:?}");
    drop(go);
    let (in_time, counters) = archive.finish(Instant::now() + Duration::from_secs(60));
    assert!(in_time);
    assert_eq!(counters.written_files + counters.dropped, 1000);
}

#[test]
fn at_the_end_an_archive_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, _, go) = hanging(folder.path());
    let cases = cases(1000);
    for case in &cases {
        archive.offer_by(case.clone(), Instant::now());
    }
    let dropped = archive.counters().dropped;
    assert!(dropped > 100, "not for ever");
    drop(go);
    for case in &cases {
        archive.offer_by(case.clone(), Instant::now() + Duration::from_secs(60));
    }
    let (in_time, counters) = archive.finish(Instant::now() + Duration::from_secs(60));
    assert!(in_time);
    assert_eq!((counters.written_files, counters.dropped), (2000 - dropped, dropped));
}

#[test]
fn an_archive_that_hangs_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, _, go) = hanging(folder.path());
    let (in_time, counters) = archive.finish(Instant::now());
    assert!(!in_time && counters.errors == 1);
    drop(go);
}

#[test]
fn an_archive_that_cannot_begin_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::open(folder.path(), 1 << 20).unwrap();
    let first = || Err(io::Error::other("no"));
    let error = Archive::start(&options(), writer, first, |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "no");
}
