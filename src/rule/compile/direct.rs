//! Tests that no index answers: other fields, and parts of moments.

use super::{Atom, Compiler};
use crate::event::Kind;
use crate::rule::direct::Comparable;
use crate::rule::modifier::{Comparison, Modifiers, Part};
use crate::rule::predicate::{FieldId, Ranges, Resemblance, Test};
use crate::rule::sigma::{Item, Spanned};
use crate::rule::yaml::{Meaning, Scalar};

impl Compiler<'_, '_> {
    /// The fields that an item compares its own with.
    pub(super) fn references(
        &mut self,
        field: FieldId,
        modifiers: Modifiers,
        item: &Item,
        name: &Spanned<String>,
    ) -> Option<Vec<Atom>> {
        self.check_single(field, name)?;
        let mut atoms = Vec::with_capacity(item.values.len());
        for Spanned { value: scalar, span } in &item.values {
            if !matches!(scalar.meaning, Meaning::Plain | Meaning::Quoted) {
                let message =
                    format!("`fieldref` is with the name of a field, not {}", scalar.what());
                return self.wrong(*span, message);
            }
            let named = Spanned { value: scalar.text.clone(), span: *span };
            let other = self.field(&named)?;
            self.check_single(other, &named)?;
            atoms.push(Atom::Test(self.reference((field, name), (other, &named), modifiers)?));
        }
        Some(atoms)
    }

    fn reference(
        &mut self,
        (field, name): (FieldId, &Spanned<String>),
        (other, named): (FieldId, &Spanned<String>),
        modifiers: Modifiers,
    ) -> Option<Test> {
        let kinds = [field, other].map(|field| Comparable::of(field.kind(self.schema)));
        if kinds[0] != kinds[1] {
            let message = format!("`{}` and `{}` are never alike", name.value, named.value);
            let help = "text is compared with text, numbers with numbers, flags with flags, moments with moments";
            return self.wrong_with(named.span, message, Some(help.to_owned()));
        }
        let how = match modifiers.comparison {
            Comparison::Contains => Resemblance::Contains,
            Comparison::StartsWith => Resemblance::StartsWith,
            Comparison::EndsWith => Resemblance::EndsWith,
            _ => Resemblance::Equals,
        };
        if kinds[0] != Comparable::Text && (how != Resemblance::Equals || modifiers.cased) {
            let message = format!("`{}` is no text: this comparison means nothing", name.value);
            return self.wrong(name.span, message);
        }
        Some(Test::Field { other, how, cased: modifiers.cased })
    }

    /// Of several values nobody knows which is meant.
    fn check_single(&mut self, field: FieldId, name: &Spanned<String>) -> Option<()> {
        if !field.may_have_several() {
            return Some(());
        }
        let message = format!("`{}` may have several values: none is compared", name.value);
        let help = field.list().and_then(|list| self.flat_service(list));
        self.wrong_with(name.span, message, help)
    }

    /// The number that a part of a moment has to be.
    pub(super) fn part(
        &mut self,
        part: Part,
        value: &Spanned<Scalar>,
        name: &Spanned<String>,
    ) -> Option<Test> {
        let (least, most) = match part {
            Part::Minute => (0, 59),
            Part::Hour => (0, 23),
            Part::Day => (1, 31),
            Part::Week => (1, 53),
            Part::Month => (1, 12),
            // Of the moments that records have.
            Part::Year => (1970, 2554),
        };
        let Some(number) = super::values::whole(&value.value) else {
            return self.mistaken(value, name, "compared by a number", "a whole number");
        };
        if !(least..=most).contains(&number) {
            let message = format!("this part of `{}` is never {number}", name.value);
            return self.wrong_with(value.span, message, Some(format!("it is {least} to {most}")));
        }
        Some(Test::Part(part, Ranges::point(number)))
    }
}

/// Whether values of this kind may be text in Base64.
pub(super) const fn can_be_encoded(kind: Kind) -> bool {
    kind.is_text() || matches!(kind, Kind::Any)
}
