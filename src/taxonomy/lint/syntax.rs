//! Spellings that are right for the parser and wrong for what was meant.

use regex_syntax::ast::{
    Ast, ClassPerlKind, ClassSet, ClassSetItem, Concat, Flag, Flags, Group, GroupKind, LiteralKind, RepetitionKind,
    RepetitionRange, Span,
};

use super::report::{Finding, LintKind};

/// Looks at every part of a pattern.
pub(super) fn findings(regex: &str, ast: &Ast) -> Vec<Finding> {
    let mut look = Look { regex, found: Vec::new() };
    look.at(ast);
    look.found
}

struct Look<'a> {
    regex: &'a str,
    found: Vec<Finding>,
}

impl<'a> Look<'a> {
    fn at(&mut self, ast: &Ast) {
        match ast {
            Ast::ClassBracketed(class) => self.class(&class.span, class.negated, &class.kind, false),
            Ast::Repetition(repetition) => {
                self.repetition(&repetition.span, &repetition.op.kind, &repetition.ast);
                // What is in a repeated group is repeated on purpose.
                match &*repetition.ast {
                    Ast::Group(group) => self.at(&group.ast),
                    Ast::ClassBracketed(class) => {
                        self.class(&class.span, class.negated, &class.kind, unbounded(&repetition.op.kind));
                    }
                    other => self.at(other),
                }
            }
            Ast::Group(group) => self.group(group),
            Ast::Flags(set) => self.flags(&set.flags),
            Ast::Alternation(alternation) => alternation.asts.iter().for_each(|ast| self.at(ast)),
            Ast::Concat(concat) => {
                self.dots(concat);
                concat.asts.iter().for_each(|ast| self.at(ast));
            }
            _ => {}
        }
    }

    fn text(&self, span: &Span) -> &'a str {
        self.regex.get(span.start.offset..span.end.offset).unwrap_or_default()
    }

    /// `[00|02|03]`, and classes that reach over the ends of lines.
    fn class(&mut self, span: &Span, negated: bool, set: &ClassSet, unbounded: bool) {
        let ClassSet::Item(item) = set else { return };
        let items = match item {
            ClassSetItem::Union(union) => union.items.as_slice(),
            one => std::slice::from_ref(one),
        };
        let text = self.text(span);
        let letter = |item: &ClassSetItem| match item {
            ClassSetItem::Literal(literal) => literal.c.is_alphanumeric(),
            ClassSetItem::Range(range) => range.end.c.is_alphanumeric(),
            _ => false,
        };
        let bar = |item: &ClassSetItem| matches!(item, ClassSetItem::Literal(l) if l.c == '|' && l.kind == LiteralKind::Verbatim);
        let between = |three: &[ClassSetItem]| matches!(three, [a, b, c] if letter(a) && bar(b) && letter(c));
        if !negated && items.windows(3).any(between) {
            let inner = text.trim_start_matches('[').trim_end_matches(']');
            let what = format!("`{text}` takes one character, `|` among them");
            self.found.push(Finding::new(LintKind::ClassAlternation, what, format!("write `(?:{inner})`")));
        }
        if unbounded && !negated && spans(items) {
            let what = format!("`{text}` reaches over the ends of lines, but lines are matched one by one");
            let remedy = "write `.*`, or match the line that tells the cause; over a whole log it takes quadratic time";
            self.found.push(Finding::new(LintKind::SpansLines, what, remedy));
        }
    }

    /// `/tmp/*`.
    fn repetition(&mut self, span: &Span, kind: &RepetitionKind, ast: &Ast) {
        if let (Ast::Literal(literal), RepetitionKind::ZeroOrMore) = (ast, kind)
            && literal.c == '/'
        {
            let what = format!("`{}` is any number of slashes, not any file", self.text(span));
            self.found.push(Finding::new(LintKind::GlobStar, what, r"write `/\S*`"));
        }
    }

    /// `error (AccessDenied)`: nobody needs a group of text alone.
    fn group(&mut self, group: &Group) {
        if let GroupKind::NonCapturing(flags) = &group.kind {
            self.flags(flags);
        }
        if matches!(group.kind, GroupKind::CaptureIndex(_)) && starts_with_word(&group.ast) {
            let text = self.text(&group.span);
            let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
            let what = format!("`{text}` is a group and matches no parentheses");
            let remedy = format!(r"write `\({inner}\)`, or `(?:{inner})` if a group is meant");
            self.found.push(Finding::new(LintKind::TextParentheses, what, remedy));
        }
        self.at(&group.ast);
    }

    /// `(?s)`.
    fn flags(&mut self, flags: &Flags) {
        if flags.flag_state(Flag::DotMatchesNewLine) == Some(true) {
            let what = "the flag `s` lets `.` reach over the ends of lines, but lines are matched one by one";
            self.found.push(Finding::new(
                LintKind::SpansLines,
                what,
                "remove it, or match the line that tells the cause",
            ));
        }
    }

    /// `socket.timeout`, but not `can.t`.
    fn dots(&mut self, concat: &Concat) {
        let letter = |ast: Option<&Ast>| matches!(ast, Some(Ast::Literal(l)) if l.kind == LiteralKind::Verbatim && l.c.is_ascii_alphabetic());
        let asts = &concat.asts;
        let is_dot = |at: usize| {
            matches!(asts.get(at), Some(Ast::Dot(_))) && at > 0 && letter(asts.get(at - 1)) && letter(asts.get(at + 1))
        };
        let part = |at: usize| letter(asts.get(at)) || is_dot(at);
        let mut at = 0;
        while at < asts.len() {
            if !part(at) {
                at += 1;
                continue;
            }
            let end = (at..asts.len()).find(|next| !part(*next)).unwrap_or(asts.len());
            if (at..end).any(is_dot)
                && let (Some(first), Some(last)) = (asts.get(at), asts.get(end - 1))
            {
                let word = self.regex.get(first.span().start.offset..last.span().end.offset).unwrap_or_default();
                let short_form = ["n.t", "t.s", "e.s", "I.m"].iter().any(|ending| word.ends_with(ending));
                if !short_form {
                    let what = format!("the dot of `{word}` stands for any character");
                    let remedy = format!("write `{}`", word.replace('.', r"\."));
                    self.found.push(Finding::new(LintKind::UnescapedDot, what, remedy));
                }
            }
            at = end;
        }
    }
}

/// Text that begins with two letters, without alternatives.
fn starts_with_word(ast: &Ast) -> bool {
    let letter = |ast: &Ast| matches!(ast, Ast::Literal(l) if l.kind == LiteralKind::Verbatim && l.c.is_alphabetic());
    matches!(ast, Ast::Concat(concat) if concat.asts.len() > 1 && concat.asts.iter().take(2).all(letter))
}

const fn unbounded(kind: &RepetitionKind) -> bool {
    matches!(
        kind,
        RepetitionKind::ZeroOrMore | RepetitionKind::OneOrMore | RepetitionKind::Range(RepetitionRange::AtLeast(_))
    )
}

/// The class names the line break, or everything by a class and its opposite.
fn spans(items: &[ClassSetItem]) -> bool {
    let perl = |kind: ClassPerlKind, negated: bool| {
        items.iter().any(|item| matches!(item, ClassSetItem::Perl(p) if p.kind == kind && p.negated == negated))
    };
    let opposites = [ClassPerlKind::Digit, ClassPerlKind::Space, ClassPerlKind::Word];
    let breaks = items.iter().any(|item| matches!(item, ClassSetItem::Literal(l) if l.c == '\n'));
    // `[\r\n]+` and `[\n ]*` only bridge one line end.
    let wide = perl(ClassPerlKind::Space, true) || perl(ClassPerlKind::Word, false) || items.len() > 4;
    (breaks && wide) || opposites.into_iter().any(|kind| perl(kind.clone(), true) && perl(kind, false))
}
