"""RNA types in one wording, and the sets of them that RNAret's paper draws apart.

A corpus keeps the words of its sources: RNAcentral's types, Ensembl's biotypes, names of families. What is finer
than a type, or another word for it, is listed here; any other word stands for itself.
Source of the sets: RNAret (Communications Biology, doi 10.1038/s42003-026-09757-x).
"""

import polars as pl

TYPES = {
    **dict.fromkeys(("SSU", "LSU", "5S_rRNA", "5_8S_rRNA", "Mt_rRNA"), "rRNA"),
    **dict.fromkeys(("U1", "U2", "U4", "U5", "U6"), "snRNA"),
    **dict.fromkeys(("U3", "snR75"), "snoRNA"),
    **{"Mt_tRNA": "tRNA", "lincRNA": "lncRNA", "RNaseP": "RNase_P_RNA", "SRP": "SRP_RNA", "Vault": "vault_RNA"},
}
LONG = ("rRNA", "RNase_P_RNA", "telomerase_RNA", "tmRNA", "lncRNA", "RNase_MRP_RNA")
SHORT = ("piRNA", "snRNA", "siRNA", "miRNA", "snoRNA")
# Of a set that names its types: those; None: every type.
SETS = {"all": None, "long": LONG, "short": SHORT}
FEWEST_TYPES = 2
FEWEST_RNAS = 4  # of which t-SNE makes a plane


def types(families):
    """The words of a corpus (polars column or expression) -> RNA types."""
    return families.replace(TYPES)


def divide(rnas: pl.DataFrame) -> tuple[dict[str, pl.DataFrame], dict[str, str]]:
    """RNAs with their `type` -> ({set: its RNAs}, {set: why it is left out}).

    A set of a single type cannot be told apart, and one of few RNAs not laid out: they are left out.
    """
    kept, left_out = {}, {}
    for name, members in SETS.items():
        chosen = rnas if members is None else rnas.filter(pl.col("type").is_in(members))
        found = chosen["type"].unique().sort().to_list()
        if len(found) < FEWEST_TYPES:
            there = f"{found[0]} alone" if found else "none"
            left_out[name] = f"of its types the sample has {there}"
        elif len(chosen) < FEWEST_RNAS:
            left_out[name] = f"the sample has {len(chosen)} of its RNAs"
        else:
            kept[name] = chosen
    return kept, left_out
