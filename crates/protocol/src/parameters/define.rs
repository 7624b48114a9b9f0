//! What an entry of a table of hyperparameters expands to.

/// An enum whose values are words in a recipe. A word is a `tt`: utoipa reads no `literal` of a macro.
macro_rules! words {
    (
        $(#[$about:meta])*
        pub enum $Name:ident { $( $(#[$help:meta])* $Variant:ident = $word:tt, )+ }
    ) => {
        $(#[$about])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, Default, ::serde::Serialize, ::serde::Deserialize,
            ::utoipa::ToSchema,
        )]
        pub enum $Name { $( $(#[$help])* #[serde(rename = $word)] $Variant, )+ }

        impl $crate::parameters::Words for $Name {
            const WORDS: &'static [&'static str] = &[$($word),+];
            const ALL: &'static [Self] = &[$(Self::$Variant),+];

            fn word(self) -> &'static str {
                match self { $( Self::$Variant => $word, )+ }
            }
        }
    };
}

/// A table of hyperparameters: the complete set, and the one in which every field may be left out.
///
/// Of an entry, `default` and `range` are needed. The rest may be left out, and stands in this order: `presets` (defaults
/// by family of base models and preset), `follows` (the value when nobody chose one, of the preset and of what was
/// chosen), `rule` with `beside` (what is wrong with it beside the fields that are named), and `about` (fields of
/// [`Definition`](super::Definition)).
macro_rules! hyperparameters {
    // After the last part of a table.
    ({} $($table:tt)*) => { $crate::parameters::define::hyperparameters! { $($table)* } };

    (
        $(#[doc = $about:literal])+
        pub struct $Parameters:ident;

        $(#[doc = $about_overrides:literal])+
        pub struct $Overrides:ident;

        $(
            $(#[doc = $help:literal])+
            $name:ident: $Type:ty {
                default: $default:expr,
                range: $range:expr,
                $(presets: { $($case:pat => $value:expr),+ $(,)? },)?
                $(follows: $follows:expr,)?
                $(rule: $rule:expr, beside: [$($beside:ident),+],)?
                $(about: { $($key:ident: $fact:expr),+ $(,)? },)?
            }
        )+
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(default)]
        pub struct $Parameters {
            $( $(#[doc = $help])+ pub $name: $Type, )+
        }

        $(#[doc = $about_overrides])+
        #[derive(Debug, Clone, Default, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $Overrides {
            $(
                $(#[doc = $help])+
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $name: Option<<$Type as $crate::parameters::Hyperparameter>::Raw>,
            )+
        }

        impl $Parameters {
            /// Every hyperparameter, in the order in which people see them.
            pub const ALL: &'static [$crate::parameters::Definition] = &[
                $( $crate::parameters::Definition {
                    $( $($key: $fact,)+ )?
                    ..$crate::parameters::Definition::new(stringify!($name), &[$($help),+], $range)
                } ),+
            ];

            /// The defaults of a preset for a family of base models.
            pub fn of(preset: $crate::preset::Preset, base: impl Into<$crate::preset::Family>) -> Self {
                use $crate::{parameters::Hyperparameter, preset::{Family::*, Preset::*}};
                // A condition that always holds: with it, a table may list every case, and keep the default that recipes
                // from before mean.
                let is_listed = true;
                let family: $crate::preset::Family = base.into();
                Self {
                    $( $name: <$Type as Hyperparameter>::of(match (family, preset) {
                        $( $($case if is_listed => $value,)+ )?
                        _ => $default,
                    }), )+
                }
            }

            /// Each with its definition.
            pub fn values(
                &self,
            ) -> impl Iterator<Item = (&'static $crate::parameters::Definition, $crate::parameters::Value<'_>)> {
                let values = [$( $crate::parameters::Hyperparameter::value(&self.$name) ),+];
                Self::ALL.iter().zip(values)
            }

            /// Lays what was chosen over a preset; what is out of range is noted, and left at the preset's value.
            pub(crate) fn resolve(
                chosen: $Overrides,
                preset: Self,
                wrong: &mut $crate::parameters::define::Wrong,
            ) -> Self {
                let mut now = preset.clone();
                $(
                    let is_chosen = chosen.$name.is_some();
                    if let Some(raw) = chosen.$name {
                        match <$Type as $crate::parameters::Hyperparameter>::parse(raw, &$range) {
                            Ok(value) => now.$name = value,
                            Err(message) => wrong.push(stringify!($name), message),
                        }
                    }
                    let $name = is_chosen;
                )+
                $( $(
                    if !$name {
                        now.$name = $crate::parameters::define::follow($follows, &preset, &now);
                    }
                )? )+
                // Most entries follow nothing.
                let _ = ($($name,)+);
                now
            }

            /// Checks every field that is not known to be wrong.
            pub(crate) fn check(
                &self,
                engine: $crate::parameters::Engine,
                wrong: &mut $crate::parameters::define::Wrong,
            ) {
                let default = Self::default();
                for ((definition, value), (_, default)) in self.values().zip(default.values()) {
                    if !wrong.has(definition.name)
                        && let Err(message) = definition.check(value, default, engine)
                    {
                        wrong.push(definition.name, message);
                    }
                }
                $( $(
                    if ![stringify!($name), $(stringify!($beside)),+].iter().any(|name| wrong.has(name)) {
                        let rule: fn(&Self) -> Option<String> = $rule;
                        if let Some(message) = rule(self) {
                            wrong.push(stringify!($name), message);
                        }
                    }
                )? )+
                wrong.sort(Self::ALL);
            }
        }

        impl Default for $Parameters {
            fn default() -> Self {
                Self { $( $name: <$Type as $crate::parameters::Hyperparameter>::of($default), )+ }
            }
        }

        impl ::utoipa::PartialSchema for $Parameters {
            fn schema() -> ::utoipa::openapi::RefOr<::utoipa::openapi::schema::Schema> {
                $crate::parameters::schema::complete(&[$($about),+], Self::default().values())
            }
        }

        impl ::utoipa::ToSchema for $Parameters {}

        impl ::utoipa::PartialSchema for $Overrides {
            fn schema() -> ::utoipa::openapi::RefOr<::utoipa::openapi::schema::Schema> {
                $crate::parameters::schema::overrides(&[$($about_overrides),+], $Parameters::ALL)
            }
        }

        impl ::utoipa::ToSchema for $Overrides {}
    };
}

pub(super) use {hyperparameters, words};

/// A default that follows other values, given the preset's values and those that hold so far.
pub(crate) fn follow<P, T>(rule: impl Fn(&P, &P) -> T, preset: &P, now: &P) -> T {
    rule(preset, now)
}

/// What is wrong with hyperparameters, by their names.
#[derive(Debug, Default)]
pub(crate) struct Wrong(Vec<(&'static str, String)>);

impl Wrong {
    pub(super) fn push(&mut self, name: &'static str, message: String) {
        self.0.push((name, message));
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(wrong, _)| *wrong == name)
    }

    /// Into the order of the table.
    pub(super) fn sort(&mut self, all: &[super::Definition]) {
        self.0
            .sort_by_key(|(name, _)| all.iter().position(|definition| definition.name == *name));
    }

    /// As the fields of a request.
    pub(crate) fn into_errors(self) -> impl Iterator<Item = crate::problem::FieldError> {
        let error = |(name, message)| crate::problem::FieldError::new(format!("parameters.{name}"), message);
        self.0.into_iter().map(error)
    }
}
