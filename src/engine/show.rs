//! Shows frames to a sink that keeps them, and tells how much of their streams was read: what nobody
//! has read may hold a secret that nobody knows of yet.

use std::ops::Range;

use super::channel::App;
use super::{Engine, Sink};
use crate::flow::{Connection, Side};
use crate::packet::{Frame, Tcp, TcpFlags};

/// Where a frame belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The flow, as records name it.
    pub flow: u64,
    /// Who sent the frame.
    pub sender: Side,
    /// How much of what the sender says was read.
    pub reading: Reading,
}

/// How much of one direction of a flow was read by somebody who knows where its secrets stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// It has no secrets, as far as is known.
    Open,
    /// With this frame, octets with these sequence numbers were read, modulo 2^32: up to the start
    /// all was read before, and what begins at the end is still to be read.
    To(Range<u32>),
    /// Nobody reads it any more, or it cannot be told.
    Blind,
}

impl Engine {
    /// Up to where the sender's stream was read before a segment of it is taken.
    #[inline]
    pub(super) fn mark(&mut self, index: u32, from: Side, tcp: &Tcp<'_>) -> Option<u32> {
        if self.outlet.keeps { Some(self.read_up_to(index, from, tcp)) } else { None }
    }

    #[inline(never)]
    fn read_up_to(&mut self, index: u32, from: Side, tcp: &Tcp<'_>) -> u32 {
        let flow = self.flows.get_mut(index);
        let stream = flow.map(|flow| flow.connection.stream(from)).filter(|from| from.is_started());
        match stream {
            Some(stream) => stream.next().wrapping_sub(stream.kept().len() as u32),
            None => tcp.sequence.wrapping_add(tcp.flags.any(TcpFlags::SYN).into()),
        }
    }

    /// Shows the sink a frame that was taken. Of TCP, its sender's stream was read up to `before`.
    #[inline]
    pub(super) fn show(
        &mut self,
        index: u32,
        from: Side,
        before: Option<u32>,
        frame: &Frame<'_>,
        sink: &mut dyn Sink,
    ) {
        if self.outlet.keeps {
            self.show_of(index, from, before, frame, sink);
        }
    }

    /// Not among what every frame goes through where none is kept.
    #[inline(never)]
    fn show_of(
        &mut self,
        index: u32,
        from: Side,
        before: Option<u32>,
        frame: &Frame<'_>,
        sink: &mut dyn Sink,
    ) {
        let Some(flow) = self.flows.get_mut(index) else { return };
        let reading = match (&flow.app.app, before) {
            (_, None) | (App::Unknown, _) => Reading::Open,
            (app, _) if app.protocol().is_some_and(|protocol| !protocol.secrets) => Reading::Open,
            (App::Over { .. }, _) => Reading::Blind,
            // The rest of a message whose beginning nobody saw.
            (App::Detecting(detection), _) if flow.app.joined() || detection.has_lost_any() => {
                Reading::Blind
            }
            // Who sent it is a guess.
            _ if flow.key.has_equal_ends() => Reading::Blind,
            (App::Known { .. } | App::Detecting(_), Some(before)) => {
                read(&flow.connection, from, before)
            }
        };
        sink.packet(frame, Place { flow: flow.id, sender: from, reading });
    }
}

fn read(connection: &Connection, from: Side, before: u32) -> Reading {
    let stream = connection.stream(from);
    if !stream.is_started() {
        return Reading::Blind;
    }
    Reading::To(before..stream.next().wrapping_sub(stream.kept().len() as u32))
}
