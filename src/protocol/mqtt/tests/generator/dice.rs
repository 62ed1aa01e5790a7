//! Numbers and texts that look random and are the same in every run.

/// The longest text or binary data, in octets (clauses 1.5.4 and 1.5.6).
pub(crate) const LONGEST: usize = 65_535;

pub(crate) struct Dice {
    state: u64,
    /// How many of the longest texts may still be made: a packet must stay below what is looked at.
    pub(crate) longest: u32,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed, longest: 0 }
    }

    /// Below `sides`.
    pub(crate) fn roll(&mut self, sides: u32) -> u32 {
        // Steele and others, "Fast splittable pseudorandom number generators".
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed >> 33) % u64::from(sides)) as u32
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.roll(2) == 1
    }

    /// One of these.
    pub(crate) fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.roll(all.len() as u32) as usize]
    }

    /// From `least` on; the ends more often than others.
    pub(crate) fn number(&mut self, least: u32, most: u32) -> u32 {
        match self.roll(4) {
            0 => least,
            1 => most,
            _ => {
                let any = self.roll(1 << 16) << 16 | self.roll(1 << 16);
                least + (u64::from(any) % (u64::from(most - least) + 1)) as u32
            }
        }
    }

    /// How long a text is.
    fn length(&mut self) -> usize {
        if self.longest > 0 && self.roll(16) == 0 {
            self.longest -= 1;
            return LONGEST;
        }
        self.roll(12) as usize
    }

    pub(crate) fn octets(&mut self) -> Vec<u8> {
        let length = self.length();
        (0..length).map(|_| self.roll(256) as u8).collect()
    }

    /// Text of all planes, without U+0000.
    pub(crate) fn text(&mut self) -> String {
        let length = self.length();
        self.text_of(length)
    }

    /// So many octets of text.
    pub(crate) fn text_of(&mut self, length: usize) -> String {
        let mut text = String::new();
        while text.len() < length {
            let next = self.character();
            let room = length - text.len();
            text.push(if next.len_utf8() <= room { next } else { 'x' });
        }
        text
    }

    /// The ends of what one, two, three and four octets encode, and what is between them; characters
    /// that the standard advises against among them (clause 1.5.4).
    fn character(&mut self) -> char {
        const ENDS: [char; 10] = [
            '\u{1}',
            '\u{7F}',
            '\u{80}',
            '\u{7FF}',
            '\u{800}',
            '\u{D7FF}',
            '\u{E000}',
            '\u{FEFF}',
            '\u{10000}',
            '\u{10FFFF}',
        ];
        match self.roll(6) {
            0 => self.of(&ENDS),
            1 => char::from_u32(self.number(0x80, 0xD7FF)).unwrap_or('x'),
            2 => char::from_u32(self.number(0x1_0000, 0x10_FFFF)).unwrap_or('x'),
            _ => char::from(b'a' + self.roll(26) as u8),
        }
    }

    /// A level of a topic: it may be empty, and has neither wildcard nor separator.
    fn topic_level(&mut self) -> String {
        let length = self.roll(6) as usize;
        self.text_of(length)
    }

    /// A topic name: at least one character.
    pub(crate) fn topic(&mut self) -> String {
        if self.longest > 0 && self.roll(16) == 0 {
            self.longest -= 1;
            return self.text_of(LONGEST);
        }
        let count = 1 + self.roll(4);
        let levels: Vec<_> = (0..count).map(|_| self.topic_level()).collect();
        let topic = levels.join("/");
        if topic.is_empty() { "t".into() } else { topic }
    }

    /// A topic filter: wildcards in levels of their own, `#` at the end only.
    pub(crate) fn filter(&mut self) -> String {
        let count = 1 + self.roll(4);
        let mut levels: Vec<_> = (0..count)
            .map(|_| if self.roll(3) == 0 { "+".into() } else { self.topic_level() })
            .collect();
        if self.roll(3) == 0 {
            levels.push("#".into());
        }
        let filter = levels.join("/");
        if filter.is_empty() { "#".into() } else { filter }
    }

    /// A filter that is shared (MQTT 5, clause 4.8.2).
    pub(crate) fn shared_filter(&mut self) -> String {
        let length = 1 + self.roll(5) as usize;
        format!("$share/{}/{}", self.text_of(length), self.filter())
    }
}
