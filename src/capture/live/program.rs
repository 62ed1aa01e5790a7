//! Programs for the kernel in classic BPF, written with labels.
//!
//! A conditional jump of classic BPF reaches 255 instructions, an unconditional one any. So a
//! condition here always skips one unconditional jump: a condition that does not hold, the usual
//! case in a list, costs one instruction, and no list is too long for its jumps.

use libc::{
    BPF_ABS, BPF_ADD, BPF_ALU, BPF_AND, BPF_B, BPF_H, BPF_IMM, BPF_IND, BPF_JA, BPF_JEQ, BPF_JGE,
    BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_LDX, BPF_LSH, BPF_MEM, BPF_MISC, BPF_MUL, BPF_RET,
    BPF_RSH, BPF_ST, BPF_TAX, BPF_TXA, BPF_W, BPF_X, BPF_XOR, sock_filter,
};

/// How many instructions the kernel takes (`BPF_MAXINSNS`).
pub(super) const MOST: usize = libc::BPF_MAXINSNS as usize;

/// Loads from here on are relative to the link layer header, wherever a program's data begin.
const LINK_LAYER: u32 = libc::SKF_LL_OFF as u32;

/// Where a frame came from or goes to: `PACKET_…` of packet(7).
const PACKET_TYPE: u32 = (libc::SKF_AD_OFF + libc::SKF_AD_PKTTYPE) as u32;

/// How much is loaded.
#[derive(Debug, Clone, Copy)]
pub(super) enum Size {
    Byte,
    Half,
    Word,
}

/// A test of the accumulator.
#[derive(Debug, Clone, Copy)]
pub(super) enum Test {
    /// It is this number.
    Is(u32),
    /// It is this number or greater.
    AtLeast(u32),
    /// It has one of these bits.
    Has(u32),
}

/// A place in a program that jumps lead to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Label(usize);

/// A cell of the program's memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell(pub(super) u32);

/// A program that is being written.
#[derive(Debug, Default)]
pub(super) struct Program {
    code: Vec<sock_filter>,
    /// Jumps, with the label that they lead to.
    jumps: Vec<(usize, Label)>,
    /// Where labels stand.
    labels: Vec<Option<usize>>,
}

impl Program {
    pub(super) fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// The label stands here.
    pub(super) fn place(&mut self, label: Label) {
        if let Some(place) = self.labels.get_mut(label.0) {
            *place = Some(self.code.len());
        }
    }

    /// A = octets so far behind X.
    pub(super) fn load(&mut self, size: Size, offset: u32) {
        self.push(BPF_LD | size.code() | BPF_IND, offset);
    }

    /// A = octets of the link layer header.
    pub(super) fn load_link(&mut self, size: Size, offset: u32) {
        self.push(BPF_LD | size.code() | BPF_ABS, LINK_LAYER.wrapping_add(offset));
    }

    /// A = where the frame came from.
    pub(super) fn load_packet_type(&mut self) {
        self.push(BPF_LD | BPF_W | BPF_ABS, PACKET_TYPE);
    }

    /// A = the cell
    pub(super) fn recall(&mut self, cell: Cell) {
        self.push(BPF_LD | BPF_MEM, cell.0);
    }

    /// The cell = A
    pub(super) fn keep(&mut self, cell: Cell) {
        self.push(BPF_ST, cell.0);
    }

    /// X = the cell
    pub(super) fn recall_x(&mut self, cell: Cell) {
        self.push(BPF_LDX | BPF_MEM, cell.0);
    }

    /// X = the number
    pub(super) fn set_x(&mut self, number: u32) {
        self.push(BPF_LDX | BPF_IMM, number);
    }

    /// X = A
    pub(super) fn set_x_to_a(&mut self) {
        self.push(BPF_MISC | BPF_TAX, 0);
    }

    /// A = X
    pub(super) fn set_a_to_x(&mut self) {
        self.push(BPF_MISC | BPF_TXA, 0);
    }

    /// X += the number; A is lost.
    pub(super) fn advance(&mut self, number: u32) {
        self.set_a_to_x();
        self.push(BPF_ALU | BPF_ADD | BPF_K, number);
        self.set_x_to_a();
    }

    /// A += X
    pub(super) fn add_x(&mut self) {
        self.push(BPF_ALU | BPF_ADD | BPF_X, 0);
    }

    /// A ^= X
    pub(super) fn xor_x(&mut self) {
        self.push(BPF_ALU | BPF_XOR | BPF_X, 0);
    }

    /// A &= the number
    pub(super) fn and(&mut self, number: u32) {
        self.push(BPF_ALU | BPF_AND | BPF_K, number);
    }

    /// A *= the number
    pub(super) fn multiply(&mut self, number: u32) {
        self.push(BPF_ALU | BPF_MUL | BPF_K, number);
    }

    /// A <<= the number
    pub(super) fn shift_left(&mut self, number: u32) {
        self.push(BPF_ALU | BPF_LSH | BPF_K, number);
    }

    /// A >>= the number
    pub(super) fn shift_right(&mut self, number: u32) {
        self.push(BPF_ALU | BPF_RSH | BPF_K, number);
    }

    /// Goes on at the label, which must stand further down.
    pub(super) fn jump(&mut self, label: Label) {
        self.jumps.push((self.code.len(), label));
        self.push(BPF_JMP | BPF_JA, 0);
    }

    /// Goes on at the label if the test holds.
    pub(super) fn jump_if(&mut self, test: Test, label: Label) {
        self.test(test, (0, 1));
        self.jump(label);
    }

    /// Goes on at the label if the test does not hold.
    pub(super) fn jump_unless(&mut self, test: Test, label: Label) {
        self.test(test, (1, 0));
        self.jump(label);
    }

    /// The result is the number.
    pub(super) fn give(&mut self, number: u32) {
        self.push(BPF_RET | BPF_K, number);
    }

    /// The result is A.
    pub(super) fn give_a(&mut self) {
        self.push(BPF_RET | libc::BPF_A, 0);
    }

    /// The instructions.
    pub(super) fn finish(mut self) -> Vec<sock_filter> {
        for (at, label) in self.jumps {
            let target = self.labels.get(label.0).copied().flatten();
            debug_assert!(target.is_some_and(|target| target > at), "{label:?} from {at}");
            if let (Some(target), Some(jump)) = (target, self.code.get_mut(at)) {
                jump.k = target.saturating_sub(at + 1) as u32;
            }
        }
        self.code
    }

    fn test(&mut self, test: Test, (jt, jf): (u8, u8)) {
        let (code, k) = match test {
            Test::Is(number) => (BPF_JEQ, number),
            Test::AtLeast(number) => (BPF_JGE, number),
            Test::Has(bits) => (BPF_JSET, bits),
        };
        self.code.push(sock_filter { code: (BPF_JMP | code | BPF_K) as u16, jt, jf, k });
    }

    fn push(&mut self, code: u32, k: u32) {
        self.code.push(sock_filter { code: code as u16, jt: 0, jf: 0, k });
    }
}

impl Size {
    const fn code(self) -> u32 {
        match self {
            Self::Byte => BPF_B,
            Self::Half => BPF_H,
            Self::Word => BPF_W,
        }
    }
}

#[cfg(test)]
pub(super) mod machine {
    //! Runs programs as the kernel does.

    use super::*;

    /// What a program is run over.
    pub(in super::super) struct Input<'a> {
        /// The frame from its link layer header on.
        pub(in super::super) frame: &'a [u8],
        /// Where offset 0 of a load is: a filter begins at the link layer header, a fan-out
        /// program at the network header unless the frame goes out.
        pub(in super::super) start: usize,
        pub(in super::super) packet_type: u8,
    }

    impl Input<'_> {
        fn read(&self, code: u32, offset: u32) -> Option<u32> {
            let at = match offset {
                PACKET_TYPE => return Some(u32::from(self.packet_type)),
                LINK_LAYER.. => (offset - LINK_LAYER) as usize,
                _ => self.start + offset as usize,
            };
            let size = [4, 2, 1][(code >> 3 & 3) as usize];
            let octets = self.frame.get(at..at + size)?;
            Some(octets.iter().fold(0, |number, octet| number << 8 | u32::from(*octet)))
        }
    }

    /// The result: zero if a load reaches beyond the frame. Panics where the kernel would refuse
    /// the program.
    pub(in super::super) fn run(program: &[sock_filter], input: &Input<'_>) -> u32 {
        assert!((1..=MOST).contains(&program.len()));
        let (mut a, mut x, mut cells, mut at) = (0_u32, 0_u32, [None; 16], 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            let code = u32::from(code);
            let operand = if code & BPF_X != 0 { x } else { k };
            at += 1;
            match code & 7 {
                BPF_LD => {
                    let loaded = match code & 0xe0 {
                        BPF_ABS => input.read(code, k),
                        BPF_IND => input.read(code, x.wrapping_add(k)),
                        BPF_MEM => Some(cells[k as usize].expect("a cell that was filled")),
                        _ => panic!("load {code:#x}"),
                    };
                    let Some(loaded) = loaded else { return 0 };
                    a = loaded;
                }
                BPF_LDX if code & 0xe0 == BPF_IMM => x = k,
                BPF_LDX => x = cells[k as usize].expect("a cell that was filled"),
                BPF_ST => cells[k as usize] = Some(a),
                BPF_ALU => {
                    a = match code & 0xf0 {
                        BPF_ADD => a.wrapping_add(operand),
                        BPF_MUL => a.wrapping_mul(operand),
                        BPF_AND => a & operand,
                        BPF_XOR => a ^ operand,
                        BPF_LSH => a << operand,
                        BPF_RSH => a >> operand,
                        _ => panic!("arithmetic {code:#x}"),
                    }
                }
                BPF_JMP => {
                    let holds = match code & 0xf0 {
                        BPF_JA => {
                            at += k as usize;
                            continue;
                        }
                        BPF_JEQ => a == operand,
                        BPF_JGE => a >= operand,
                        BPF_JSET => a & operand != 0,
                        _ => panic!("jump {code:#x}"),
                    };
                    at += usize::from(if holds { jt } else { jf });
                }
                BPF_RET => return if code & libc::BPF_A != 0 { a } else { k },
                BPF_MISC if code & BPF_TXA != 0 => a = x,
                BPF_MISC => x = a,
                _ => unreachable!("three bits"),
            }
        }
    }
}
