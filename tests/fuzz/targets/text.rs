//! Changes of a text that are told by bytes: each three of them are a place, what is done there, and with what.
//! Knows nothing of what the text is for.

/// Applies to `text` the changes that `script` tells.
pub(crate) fn edited(text: &[u8], script: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    for change in script.chunks_exact(4) {
        let [high, low, what, byte] = *change else {
            break;
        };
        let at = usize::from(u16::from_be_bytes([high, low]));
        let at = at % (text.len() + 1);
        match what % 6 {
            0 if at < text.len() => text[at] = byte,
            1 if at < text.len() => text[at] ^= 1 << (byte % 8),
            2 if at < text.len() => drop(text.remove(at)),
            3 => text.truncate(at),
            4 => {
                let end = (at + usize::from(byte)).min(text.len());
                let copied = text[at..end].to_vec();
                text.splice(at..at, copied);
            }
            _ => text.insert(at, byte),
        }
    }
    text
}
