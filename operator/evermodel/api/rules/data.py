"""Sources, and what their columns are."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from evermodel.api.modeldeployment import Data, DataFormat, TrainData
from evermodel.api.rules.rule import Rule

_URI = (
    "self.matches('^configmap://[a-z0-9.-]+/[A-Za-z0-9._-]+$') || self.matches('^hub://[A-Za-z0-9][A-Za-z0-9._-]{0,127}$')"
    " || self.matches('^pvc://[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9._=,+@:%~ /-]*$')"
    " || self.matches('^https?://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?/[!-\"$-~]*$')"
    " || self.matches('^sklearn://')"
)
BUNDLED = ("breast_cancer", "diabetes", "digits", "iris", "wine")
"""Data sets of scikit-learn that sklearn:// names."""

FIELD_RULES: Mapping[tuple[type[Struct], str], tuple[Rule, ...]] = {
    (TrainData, "uri"): (
        Rule(
            rule=_URI,
            message=(
                "is no data source: write configmap://NAME/KEY, hub://NAME, pvc://CLAIM/PATH, https://HOST/PATH"
                " or sklearn://NAME"
            ),
            instead_of=frozenset({"pattern"}),
        ),
        Rule(
            rule="!self.startsWith('pvc://') || self.split('/').all(part, part != '.' && part != '..')",
            message="the path begins at the top of the claim: leave out . and .. between slashes",
        ),
        Rule(
            rule="!self.matches('^https?://[^/]*@')",
            message="everybody can read this field: put user and password into the Secret of data.credentialsSecretRef",
        ),
        Rule(
            rule=(
                "!self.startsWith('sklearn://') ||"
                f" self.matches('^sklearn://({'|'.join(BUNDLED)})([?]rows=[0-9]{{0,9}}:[0-9]{{0,9}})?$')"
            ),
            message=(
                f"scikit-learn's data sets are {', '.join(BUNDLED[:-1])} and {BUNDLED[-1]},"
                " with or without ?rows=START:STOP"
            ),
        ),
        Rule(
            rule=(
                "!self.matches('[?]rows=[0-9]{1,9}:[0-9]{1,9}$') ||"
                " int(self.split('=')[1].split(':')[0]) < int(self.split('=')[1].split(':')[1])"
            ),
            message="?rows=START:STOP is empty: START must be below STOP",
        ),
    ),
}

STRUCT_RULES: Mapping[type[Struct], tuple[Rule, ...]] = {
    TrainData: (
        Rule(
            rule="!self.uri.startsWith('http://') || has(self.sha256)",
            message="what comes by http:// can be changed on its way: write https://, or declare the file's sha256",
            field_path=".uri",
        ),
    ),
    Data: (
        Rule(
            rule="!has(self.credentialsSecretRef) || self.train.uri.startsWith('https://')",
            message="credentials are for https:// sources: take them out, or write https://HOST/PATH",
            field_path=".credentialsSecretRef",
        ),
        Rule(
            rule="!has(self.features) || !(self.target in self.features)",
            message="the target is what is predicted: take it out of the features",
            field_path=".features",
        ),
        Rule(
            rule="!has(self.idColumn) || self.idColumn != self.target",
            message="the target cannot name the rows: choose another idColumn",
            field_path=".idColumn",
        ),
        Rule(
            rule="!has(self.idColumn) || !has(self.features) || !(self.idColumn in self.features)",
            message="the idColumn names rows and is not learnt from: take it out of the features",
            field_path=".idColumn",
        ),
    ),
    DataFormat: (
        Rule(
            rule=(
                "!has(self.type) || self.type == 'CSV'"
                " || !(has(self.delimiter) || has(self.quote) || has(self.encoding))"
            ),
            message="delimiter, quote and encoding are of CSV: leave them out, or set the type to CSV",
            field_path=".type",
        ),
        Rule(
            rule="!has(self.delimiter) || self.delimiter != (has(self.quote) ? self.quote : '\"')",
            message="the quote cannot stand between values too: choose another delimiter or quote",
            field_path=".delimiter",
        ),
    ),
}
