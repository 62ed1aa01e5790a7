//! The properties of a packet.

use super::standard::{Encoding, PROPERTIES, Property, SUBSCRIPTION_IDENTIFIER, USER_PROPERTY};
use super::{Amount, Dice, Packet, Role, Told, counted, variable};

const AUTHENTICATION_METHOD: u8 = 21;
const AUTHENTICATION_DATA: u8 = 22;

/// Adds the properties of a place, in any order. Returns them, identifiers and values.
pub(crate) fn add(
    packet: &mut Packet,
    place: u8,
    object: &str,
    amount: Amount,
    dice: &mut Dice,
) -> Vec<(u8, Vec<u8>)> {
    let mut chosen = choose(place, amount, dice);
    shuffle(&mut chosen, dice);
    let mut all = Vec::new();
    let (mut pairs, mut subscriptions) = (0, 0);
    for property in chosen {
        let mut name = format!("{object}.{}", property.name);
        let index = match property.id {
            USER_PROPERTY => &mut pairs,
            SUBSCRIPTION_IDENTIFIER if property.repeats.contains(&place) => &mut subscriptions,
            _ => &mut 0,
        };
        if property.repeats.contains(&place) {
            name = format!("{name}[{index}]");
            *index += 1;
        }
        all.push((property.id, value(packet, property.encoding, &name, dice)));
    }
    packet.part(Role::Properties(place, all.clone()), &block(&all));
    all
}

/// Properties behind their length.
pub(crate) fn block(all: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let octets: Vec<_> = all.iter().flat_map(|(id, value)| [&[*id], &value[..]].concat()).collect();
    [variable(octets.len() as u32), octets].concat()
}

fn choose(place: u8, amount: Amount, dice: &mut Dice) -> Vec<Property> {
    let mut chosen = Vec::new();
    for property in PROPERTIES.iter().filter(|property| property.places.contains(&place)) {
        let least = u32::from(amount == Amount::All);
        let most = if property.repeats.contains(&place) { 3 } else { 1 };
        let count = match amount {
            Amount::None => 0,
            Amount::Any => dice.roll(most + 1),
            Amount::All => least + dice.roll(most),
        };
        chosen.extend((0..count).map(|_| *property));
    }
    // Clause 3.1.2.11.10: data needs a method.
    if !chosen.iter().any(|property| property.id == AUTHENTICATION_METHOD) {
        chosen.retain(|property| property.id != AUTHENTICATION_DATA);
    }
    chosen
}

fn shuffle(chosen: &mut [Property], dice: &mut Dice) {
    for last in (1..chosen.len()).rev() {
        chosen.swap(last, dice.roll(last as u32 + 1) as usize);
    }
}

/// A legal value.
fn value(packet: &mut Packet, encoding: Encoding, name: &str, dice: &mut Dice) -> Vec<u8> {
    match encoding {
        Encoding::Flag => {
            let flag = dice.roll(2) as u8;
            packet.tell(name, Told::Number(flag.into()));
            vec![flag]
        }
        Encoding::Two(least) => {
            let number = dice.number(least.into(), 65_535) as u16;
            packet.tell(name, Told::Number(number.into()));
            number.to_be_bytes().to_vec()
        }
        Encoding::Four(least) => {
            let number = dice.number(least, u32::MAX);
            packet.tell(name, Told::Number(number.into()));
            number.to_be_bytes().to_vec()
        }
        Encoding::Variable => {
            let ends = [1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455];
            let number = dice.of(&ends);
            packet.tell(name, Told::Number(number.into()));
            variable(number)
        }
        Encoding::Text => {
            let text = dice.text().into_bytes();
            packet.tell(name, Told::Text(text.clone()));
            counted(&text)
        }
        Encoding::Topic => {
            let topic = dice.topic().into_bytes();
            packet.tell(name, Told::Text(topic.clone()));
            counted(&topic)
        }
        Encoding::Binary => {
            let octets = dice.octets();
            packet.tell(name, Told::Octets(octets.clone()));
            counted(&octets)
        }
        Encoding::Secret => {
            let octets = dice.octets();
            packet.tell(name, Told::Number(octets.len() as u64));
            counted(&octets)
        }
        Encoding::Pair => {
            let pair = [dice.text().into_bytes(), dice.text().into_bytes()];
            for (member, text) in ["name", "value"].iter().zip(&pair) {
                packet.tell(&format!("{name}.{member}"), Told::Text(text.clone()));
            }
            pair.map(|text| counted(&text)).concat()
        }
    }
}
