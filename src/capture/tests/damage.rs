//! Captures that are cut, bent or read with difficulty.

use super::*;

/// Cuts a sound file everywhere; `records` are where its records begin, and how many frames come
/// before each.
fn cut_everywhere(file: &[u8], records: &[(usize, usize)]) {
    let whole = sound(file);
    for cut in 4..file.len() {
        let (frames, damages) = read(&file[..cut]);
        let &(start, before) =
            records.iter().rev().find(|(start, _)| *start <= cut).expect("the first is at 0");
        assert_eq!(frames, whole[..before], "cut at {cut}");
        if start == cut {
            assert!(damages.is_empty(), "cut at {cut}: {damages:?}");
            continue;
        }
        let [damage] = &damages[..] else { panic!("cut at {cut}: {damages:?}") };
        assert!(damage.defect.is_truncation(), "cut at {cut}: {damage}");
        assert_eq!((damage.offset, damage.frames), (start as u64, before as u64), "cut at {cut}");
    }
}

#[test]
fn a_pcap_cut_anywhere_gives_the_frames_before_the_cut() {
    cut_everywhere(&small_pcap(), &[(0, 0), (24, 0), (43, 1), (59, 2), (95, 3)]);
}

#[test]
fn a_pcapng_cut_anywhere_gives_the_frames_before_the_cut() {
    for ends in [Little, Big] {
        let file = small_pcapng(ends);
        let mut records = Vec::new();
        let (mut at, mut frames) = (0, 0);
        while let Some(head) = file.get(at..at + 8) {
            records.push((at, frames));
            let word = |word: &[u8]| match ends {
                Little => u32::from_le_bytes(word.try_into().unwrap()),
                Big => u32::from_be_bytes(word.try_into().unwrap()),
            };
            frames += usize::from(word(&head[..4]) == 6);
            at += word(&head[4..]) as usize;
        }
        assert_eq!((at, frames), (file.len(), 2));
        cut_everywhere(&file, &records);
    }
}

#[test]
fn damage_is_told_in_words() {
    let told = |file: &[u8]| read(file).1.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut file = small_pcap();
    file.truncate(90);
    assert_eq!(told(&file), ["test.pcap: truncated within a packet, at octet 59 after 2 frames"]);

    let mut file = small_pcapng(Little);
    let tail = file.len() - 1;
    file[tail] ^= 1;
    let at = file.len() - 24;
    assert_eq!(
        told(&file),
        [format!(
            "test.pcap: damaged: a block of 24 octets ends as one of 16777240, at octet {at} \
             after 2 frames"
        )]
    );

    let zeros = [small_pcapng(Little), vec![0; 64]].concat();
    assert!(told(&zeros)[0].contains("a block cannot be 0 octets long"));
    let mut version = small_pcap();
    version[4] = 9;
    assert!(told(&version)[0].contains("version 9.4 of pcap is not known, at octet 0"));
    let mut order = section(Little);
    order[8..12].copy_from_slice(b"what");
    assert!(told(&order)[0].contains("0x77686174 is no byte order"));
    let too_few = [section(Little), interface(Little, 1, 0, &[]), block(Little, 6, &[0; 8])];
    assert!(told(&too_few.concat())[0].contains("the parts of a packet block do not fit"));
}

/// Fails after it gave what it had.
struct Failing(IoCursor<Vec<u8>>);

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("the disk is gone")),
            count => Ok(count),
        }
    }
}

#[test]
fn an_error_of_the_system_is_damage_where_it_happened() {
    let reader = Failing(IoCursor::new(small_pcap()));
    let capture = Capture::from_reader("disk.pcap", Box::new(reader)).expect("a capture");
    let (frames, damages, _) = read_all(Source::new(vec![capture]));
    assert_eq!(frames.len(), 3);
    assert_eq!(
        damages[0].to_string(),
        "disk.pcap: cannot be read on: the disk is gone, at octet 95 after 3 frames"
    );
}

#[test]
fn what_is_no_capture_is_named() {
    let why = |octets: &[u8]| open("x", octets).expect_err("no capture").to_string();
    assert_eq!(why(b""), "x: is empty");
    assert!(why(b"\x1f\x8b\x08\0").contains("compressed with gzip: unpack it, as in `gzip -dc"));
    assert!(why(b"\x28\xb5\x2f\xfd\x04").contains("compressed with zstd"));
    assert_eq!(why(b"frame.number\tip.src\n"), "x: is text, not a capture");
    assert_eq!(
        why(&[0x7f, b'E', b'L', b'F', 2, 1]),
        "x: is neither pcap nor pcapng (it begins with 7f 45 4c 46)"
    );
    assert_eq!(why(&[0xd4, 0xc3]), "x: is neither pcap nor pcapng (it begins with d4 c3)");

    let folder = tempfile::tempdir().expect("a folder");
    let error = Source::open(&[folder.path()]).expect_err("a directory");
    assert!(matches!(error.reason, NoCapture::Directory) && error.reason.is_no_input());
    let error = Source::open(&[folder.path().join("none.pcap")]).expect_err("nothing");
    assert!(matches!(error.reason, NoCapture::Unreadable(_)) && error.reason.is_no_input());
    assert!(error.to_string().contains("none.pcap: cannot be read: No such file"));
    assert!(!NoCapture::Empty.is_no_input());
}

#[test]
fn files_know_their_size() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = [folder.path().join("a.pcap"), folder.path().join("b.pcapng")];
    std::fs::write(&paths[0], small_pcap()).expect("written");
    std::fs::write(&paths[1], small_pcapng(Big)).expect("written");
    let total = (small_pcap().len() + small_pcapng(Big).len()) as u64;
    let (frames, damages, source) = read_all(Source::open(&paths).expect("captures"));
    assert_eq!((frames.len(), damages.len()), (5, 0));
    assert_eq!(source.octets(), Octets { read: total, total: Some(total) });
}

/// Gives one octet at a time, and is interrupted before each.
struct Dripping(IoCursor<Vec<u8>>, bool);

impl Read for Dripping {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let count = buffer.len().min(1);
        self.0.read(&mut buffer[..count])
    }
}

#[test]
fn a_pipe_that_gives_one_octet_at_a_time_gives_the_same_frames() {
    for file in [small_pcap(), small_pcapng(Little), small_pcapng(Big)] {
        let reader = Dripping(IoCursor::new(file.clone()), false);
        let capture = Capture::from_reader("pipe", Box::new(reader)).expect("a capture");
        let (frames, damages, _) = read_all(Source::new(vec![capture]));
        assert_eq!(frames, sound(&file));
        assert!(damages.is_empty());
    }
}

/// Octets that begin like a capture and go on like one, mostly.
fn bent_captures() -> impl Strategy<Value = Vec<u8>> {
    let seeds = [
        small_pcap(),
        small_pcapng(Little),
        small_pcapng(Big),
        pcap_header(Big, 0xa1b2_3c4d, 1),
        section(Little),
    ];
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    let tail = prop::collection::vec(any::<u8>(), 0..200);
    (prop::sample::select(seeds.to_vec()), edits, tail).prop_map(|(mut file, edits, tail)| {
        for (at, value) in edits {
            let at = at.index(file.len());
            file[at] = value;
        }
        file.extend(tail);
        file
    })
}

proptest! {
    /// Any octets: no panic, an end, at most one damage, no more memory than the longest packet.
    #[test]
    fn any_octets_end(octets in prop_oneof![bent_captures(), prop::collection::vec(any::<u8>(), 0..400)]) {
        if let Ok(capture) = open("any", &octets) {
            let (frames, damages, mut source) = read_all(Source::new(vec![capture]));
            prop_assert!(frames.len() <= octets.len());
            prop_assert!(damages.len() <= 1);
            prop_assert!(damages.iter().all(|damage| damage.offset <= octets.len() as u64));
            prop_assert!(source.memory() <= 2 * MAX_PACKET + 64 * 1024);
            prop_assert!(matches!(source.next(), Ok(None)));
        }
    }

    /// However the reads fall, the frames and the damage are the same.
    #[test]
    fn reads_of_any_size_give_the_same(octets in bent_captures()) {
        let whole = open("any", &octets);
        let dripped = Capture::from_reader("any", Box::new(Dripping(IoCursor::new(octets), false)));
        prop_assert_eq!(whole.is_ok(), dripped.is_ok());
        if let (Ok(whole), Ok(dripped)) = (whole, dripped) {
            let (frames, damages, _) = read_all(Source::new(vec![whole]));
            let (other_frames, other_damages, _) = read_all(Source::new(vec![dripped]));
            prop_assert_eq!(frames, other_frames);
            let told = |damages: &[Damage]| damages.iter().map(ToString::to_string).collect::<Vec<_>>();
            prop_assert_eq!(told(&damages), told(&other_damages));
        }
    }
}
