//! Changes of a form that leave it one: fields doubled, dropped, swapped, and with values that nobody sends.
//! Knows no field by name.

use super::mutate::{self, ODD};
use crate::chance::Chance;

/// Values as they stand in a form.
const VALUES: [&str; 14] = [
    "",
    "%",
    "%0",
    "%00",
    "%ff%fe",
    "+",
    "%2B",
    "%26",
    "%3D",
    "whatsapp%3A%2B",
    "0",
    "true",
    "%7B%7D",
    "%5B%5B%5B",
];

/// A form that differs from `input` in a field or two.
pub(super) fn changed(input: &[u8], other: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut fields: Vec<Vec<u8>> = input
        .split(|byte| *byte == b'&')
        .map(<[u8]>::to_vec)
        .collect();
    let others: Vec<&[u8]> = other.split(|byte| *byte == b'&').collect();
    let (at, second) = (chance.index(fields.len()), chance.index(fields.len()));
    let field = fields[at].clone();
    let name = field.split(|byte| *byte == b'=').next().unwrap_or_default();
    match chance.index(9) {
        0 => fields.push(field),
        1 => drop(fields.remove(at)),
        2 => fields.swap(at, second),
        // The name with another value, beside the one it has, or in its place.
        3 => fields.push([name, b"=", chance.pick(&VALUES).as_bytes()].concat()),
        4 => fields[at] = [name, b"=", chance.pick(&VALUES).as_bytes()].concat(),
        5 => {
            let value = chance.pick(&VALUES).repeat(chance.index(5_000));
            fields[at] = [name, b"=", value.as_bytes()].concat();
        }
        6 => fields.push(chance.pick(&others).to_vec()),
        7 => {
            let digit = chance.index(12).to_string();
            fields.push([name, digit.as_bytes(), b"=", chance.pick(&ODD).as_bytes()].concat());
        }
        _ => {
            let value = field.get(name.len() + 1..).unwrap_or_default();
            let other = others[chance.index(others.len())];
            let value = mutate::changed(value, other, chance);
            fields[at] = [name, b"=", &value].concat();
        }
    }
    fields.join(&b'&')
}
