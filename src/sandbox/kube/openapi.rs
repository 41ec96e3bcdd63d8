//! The little of an OpenAPI document that older programs read before they try something out: kubectl before 1.27 asks there whether a server knows
//! `dryRun`. It is written as they read it, in protobuf.

use super::resource::RESOURCES;

/// What it is asked for by has an `@`, which their own readers of such names refuse.
pub const CONTENT_TYPE: &str = "application/octet-stream";

fn number(mut value: usize, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A field that holds bytes: a text, or a message.
fn field(at: usize, inner: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(inner.len() + 6);
    number(at << 3 | 2, &mut out);
    number(inner.len(), &mut out);
    out.extend_from_slice(inner);
    out
}

fn text(at: usize, text: &str) -> Vec<u8> {
    field(at, text.as_bytes())
}

/// A document that says of every kind that its patches know `dryRun`. The numbers are those of the messages of gnostic's `openapi.v2`.
pub fn document() -> Vec<u8> {
    let info = [text(1, "Kubernetes"), text(2, "v1.35.2")].concat();
    // An item that is a parameter, not of the body, of the query.
    let query = [text(2, "query"), text(4, "dryRun"), text(6, "string")].concat();
    let parameter = field(1, &field(2, &field(3, &query)));
    let paths = RESOURCES.iter().map(|resource| {
        let yaml =
            format!("group: \"{}\"\nkind: {}\nversion: {}\n", resource.group, resource.kind_name, resource.version);
        let kind = [text(1, "x-kubernetes-group-version-kind"), field(2, &text(2, &yaml))].concat();
        let operation = [field(8, &parameter), field(13, &kind)].concat();
        let item = [text(1, &format!("/{}/{{name}}", resource.qualified())), field(2, &field(8, &operation))].concat();
        field(2, &item)
    });
    let paths: Vec<u8> = paths.flatten().collect();
    [text(1, "2.0"), field(2, &info), field(8, &paths)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_in_pieces_of_seven_bits() {
        assert_eq!(field(1, b"ab"), [0x0a, 2, b'a', b'b']);
        let long = field(13, &[0; 300]);
        assert_eq!((&long[..3], long.len()), (&[0x6a, 0xac, 0x02][..], 303));
    }
}
