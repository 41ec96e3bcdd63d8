//! Opaque cursors: the id after which a page starts, in JSON, in base64, as GitLab writes them.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The cursor of an id.
pub fn write(id: u64) -> String {
    let mut text = String::new();
    for chunk in format!("{{\"id\":\"{id}\"}}").as_bytes().chunks(3) {
        let group = chunk.iter().fold(0u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for i in 0..=chunk.len() {
            let sextet = group >> (18 - 6 * i) & 63;
            text.push(char::from(*ALPHABET.get(sextet as usize).unwrap_or(&b'A')));
        }
    }
    text
}

/// The id of a cursor; `None` when this server did not write it.
pub fn read(cursor: &str) -> Option<u64> {
    let (mut bits, mut held, mut json) = (0u32, 0u32, Vec::new());
    for byte in cursor.trim_end_matches('=').bytes() {
        bits = bits << 6 | ALPHABET.iter().position(|a| *a == byte)? as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            json.push((bits >> held & 255) as u8);
        }
    }
    let value: serde_json::Value = serde_json::from_slice(&json).ok()?;
    value.get("id")?.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_those_of_gitlab_and_come_back() {
        assert_eq!(write(770_001), "eyJpZCI6Ijc3MDAwMSJ9");
        for id in [0, 7, 42, 999, 19_620_001, u64::MAX] {
            assert_eq!(read(&write(id)), Some(id));
        }
        assert_eq!(read("eyJpZCI6Ijc3MDAwMSJ9=="), Some(770_001));
        assert_eq!([read("§"), read("eyJpZ"), read("")], [None; 3]);
    }
}
