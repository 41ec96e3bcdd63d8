//! What bytes on their way to a terminal do to it.

use std::collections::BTreeMap;

/// One control sequence: `ESC [`, parameters, final letter.
pub struct Sequence {
    pub parameters: String,
    pub letter: char,
}

/// All CSI sequences of a stream, in order.
pub fn sequences(bytes: &[u8]) -> Vec<Sequence> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(2).position(|pair| pair == b"\x1b[") {
        rest = &rest[at + 2..];
        let length = rest.iter().take_while(|byte| !(0x40..=0x7e).contains(*byte)).count();
        let Some(letter) = rest.get(length) else { break };
        let parameters = String::from_utf8_lossy(&rest[..length]).into_owned();
        found.push(Sequence { parameters, letter: char::from(*letter) });
        rest = &rest[length + 1..];
    }
    found
}

/// The private modes that a stream touches, and whether each is set at its end.
pub fn modes(bytes: &[u8]) -> BTreeMap<String, bool> {
    let mut modes = BTreeMap::new();
    for sequence in sequences(bytes) {
        if let (Some(numbers), 'h' | 'l') = (sequence.parameters.strip_prefix('?'), sequence.letter) {
            modes.extend(numbers.split(';').map(|number| (number.to_owned(), sequence.letter == 'h')));
        }
    }
    modes
}

/// Fails unless every mode that was touched is as a shell expects it, with plain letters.
pub fn assert_left(bytes: &[u8]) {
    let modes = modes(bytes);
    for number in ["1049", "25", "2004", "2026"] {
        assert!(modes.contains_key(number), "mode {number} was never touched: {modes:?}");
    }
    assert_eq!(behind(bytes), Vec::<String>::new());
}

/// What a stream leaves behind: the cursor shows, everything else is off, letters are plain.
fn behind(bytes: &[u8]) -> Vec<String> {
    let odd = modes(bytes).into_iter().filter(|(number, is_set)| *is_set != (number == "25"));
    let mut styles = sequences(bytes).into_iter().filter(|s| s.letter == 'm').map(|s| s.parameters);
    let style = styles.next_back().filter(|last| !matches!(last.as_str(), "" | "0"));
    odd.map(|(number, _)| format!("mode {number}")).chain(style.map(|style| format!("style {style}"))).collect()
}

/// The colours that a stream asks for; going back to the default is none.
pub fn colours(bytes: &[u8]) -> Vec<String> {
    let styles = sequences(bytes).into_iter().filter(|s| s.letter == 'm');
    let is_colour =
        |number: &str| number.parse().is_ok_and(|n: u16| matches!(n, 30..=38 | 40..=48 | 58 | 90..=97 | 100..=107));
    styles.map(|s| s.parameters).filter(|parameters| parameters.split([';', ':']).any(is_colour)).collect()
}

#[test]
fn streams_are_read_as_terminals_read_them() {
    let stream = b"\x1b[?1049h\x1b[?25l\x1b[38;5;9mx\x1b[39m\x1b[0m\x1b[?2004h\x1b[?25h\x1b[?1049l";
    let left = modes(stream);
    assert_eq!((left["1049"], left["25"], left["2004"]), (false, true, true));
    assert_eq!(colours(stream), ["38;5;9"]);
    assert_eq!(behind(stream), ["mode 2004"]);
    assert_eq!(behind(b"\x1b[?25h\x1b[1mbold"), ["style 1"]);
}
