"""What the header of a FASTA record says, for whole columns of headers: accession, RNA type, taxid, description.

Types keep the words of their source, and are null where the header does not say them for certain. Forms of
headers, with the real ones they were made from: NCBI's `gi|1|gb|X1.1|`, titles joined by Ctrl-A, RNAcentral's
active (`rRNA from 13 species`) and species-specific ones, Ensembl's biotypes, RefSeq's and nt's titles, and the
tags at the end that `rnalm.sequences.formats` writes.
"""

import re

import polars as pl

SPACE = " \t\n\v\f\r"
NO_TYPE = "not stated"  # what stands for a type that is null, where types are counted
# NCBI writes `gi|number|database|accession|` (before 2016) and `database|accession|`.
NCBI = r"^(?:gi\|[^|]*\|)?(?:ref|gb|emb|dbj|tpg|tpe|tpd)\|([^|]+)"
TAGS = r"(?:(?:^| )\[(?:moltype|rna_type|taxid)=[^\[\]]*\])+$"
RNACENTRAL_TAXID = r"^URS[0-9A-F]{10}_([0-9]+)$"
RNACENTRAL_ACTIVE = r"^(\S+) from \d+ species$"
PDB = r" from .* \(PDB [^()]*\)$"
# Free text whose end names the type and nothing else does.
FREE_TEXT = {
    r"\bmicroRNA (?:[a-z0-9]+-)?(?i:mir|let|lin|bantam)\S* precursor$": "pre_miRNA",
    r"(?:^| )[a-z][a-z0-9]{2,7}-(?:miR-\S+|\S+-[35]p)$": "miRNA",
    r"(?:^| )tRNA-(?:[A-Z][a-z]{2}|SeC)(?: ?\([^()]*\)| [-\d]+)*$": "tRNA",
    r"\bsmall nucleolar RNA, (?:C/D|H/ACA) box \S+(?: \(\S+\))?$": "snoRNA",
}
# RefSeq's titles end in the type; so do those of nt that stand for one RNA.
TITLE_ENDS = {
    "ribosomal RNA": "rRNA",
    "rRNA": "rRNA",
    "transfer RNA": "tRNA",
    "tRNA": "tRNA",
    "transfer-messenger RNA": "tmRNA",
    "tmRNA": "tmRNA",
    "microRNA": "miRNA",
    "miRNA": "miRNA",
    "small nucleolar RNA": "snoRNA",
    "snoRNA": "snoRNA",
    "small nuclear RNA": "snRNA",
    "snRNA": "snRNA",
    "small cytoplasmic RNA": "scRNA",
    "scRNA": "scRNA",
    "long non-coding RNA": "lncRNA",
    "long noncoding RNA": "lncRNA",
    "lncRNA": "lncRNA",
    "ncRNA": "ncRNA",
    "misc_RNA": "misc_RNA",
    "signal recognition particle RNA": "SRP_RNA",
    "SRP RNA": "SRP_RNA",
    "ribonuclease P RNA": "RNase_P_RNA",
    "RNase P RNA": "RNase_P_RNA",
    "RNase_P_RNA": "RNase_P_RNA",
    "RNase MRP RNA": "RNase_MRP_RNA",
    "RNase_MRP_RNA": "RNase_MRP_RNA",
    "telomerase RNA": "telomerase_RNA",
    "vault RNA": "vault_RNA",
    "Y RNA": "Y_RNA",
}
# Without the comma these are names of genes, whose RNA may be of another type.
AFTER_COMMA = {"antisense RNA": "antisense_RNA", "guide RNA": "guide_RNA", "non-coding RNA": "ncRNA"}
TITLE = (
    rf"(?i)((?:^|[ ,])(?:{'|'.join(map(re.escape, TITLE_ENDS))})|, (?:{'|'.join(AFTER_COMMA)}))"
    r"(?: gene)?(?:, (?:partial|complete) sequence)?(?:; (?:mitochondrial|chloroplast|plastid))?\.?$"
)
# The title is of more than one RNA, or of none.
NOT_ONE = r"[ ,](?:and|spacer|genes|pseudogene|cds)[ ,;]|;.*RNA"
ENSEMBL_BIOTYPES = (r"transcript_biotype:(\S+)", r"gene_biotype:(\S+)", r"^ncrna:([^\s:]+)")
# What stood after `ncrna:` in some old releases is the status of the gene.
ENSEMBL_STATUS = ("known", "novel", "putative", "predicted", "annotated", "known_by_projection")


def parse(identifiers: pl.Series, descriptions: pl.Series, source: str) -> pl.DataFrame:
    """What headers say, one row each: accession, description, rna_type, taxid (Int32), molecule_type.

    identifiers, descriptions: as `fasta.parse` cuts them
    source:                    rnacentral, ensembl, nt or refseq; any other (rfam too) says no type but in the tags
    Only `accession` and `description` are never null. An accession may be empty: the record has no identifier.
    1 M headers take 0.2 s of CPU in the short form of RNAcentral, up to 1.4 s with tags.
    """
    words = pl.DataFrame({"word": identifiers, "rest": descriptions})
    tags = pl.col("rest").str.find(TAGS)
    parts = words.select(
        accession=pl.coalesce(pl.col("word").str.extract(NCBI), "word"),
        description=_head(pl.col("rest"), tags),
        tags=_tail(pl.col("rest"), tags),
    )
    said = TYPES.get(source, _no_type)(parts["description"])
    taxid = pl.coalesce(_tag("taxid"), pl.col("accession").str.extract(RNACENTRAL_TAXID)).cast(pl.Int32, strict=False)
    return parts.select(
        "accession",
        "description",
        rna_type=pl.coalesce(_tag("rna_type"), said),
        taxid=pl.when(taxid > 0).then(taxid),
        molecule_type=_tag("moltype"),
    )


def _head(text: pl.Expr, end: pl.Expr) -> pl.Expr:
    """The bytes of a text before an offset; all where that is null."""
    return text.cast(pl.Binary).bin.head(end.fill_null(text.str.len_bytes())).cast(pl.String)


def _tail(text: pl.Expr, start: pl.Expr) -> pl.Expr:
    """The bytes of a text from an offset on; null where that is null."""
    return text.cast(pl.Binary).bin.slice(start).cast(pl.String)


def _tag(name: str) -> pl.Expr:
    return pl.col("tags").str.extract(rf"\[{name}=([^\]]+)\]")


def _title_type(description: pl.Series) -> pl.Series:
    found = description.str.extract(TITLE).str.strip_chars(" ,").str.to_lowercase()
    types = {end.lower(): rna_type for end, rna_type in (TITLE_ENDS | AFTER_COMMA).items()}
    named = found.replace_strict(types, default=None)
    return pl.select(pl.when(~description.str.contains(NOT_ONE)).then(named)).to_series()


def _rnacentral_type(description: pl.Series) -> pl.Series:
    active = description.str.extract(RNACENTRAL_ACTIVE)
    if not active.null_count():
        return active
    text = description.str.replace(PDB, "")
    free = [pl.when(text.str.contains(pattern)).then(pl.lit(rna_type)) for pattern, rna_type in FREE_TEXT.items()]
    return pl.select(pl.coalesce(active, *free, _title_type(text))).to_series()


def _ensembl_type(description: pl.Series) -> pl.Series:
    *biotypes, old = (description.str.extract(pattern) for pattern in ENSEMBL_BIOTYPES)
    no_type = old.str.to_lowercase().is_in(ENSEMBL_STATUS)
    return pl.select(pl.coalesce(*biotypes, pl.when(~no_type).then(old))).to_series()


def _no_type(description: pl.Series) -> pl.Series:
    return pl.Series([None], dtype=pl.String).new_from_index(0, len(description))


TYPES = {"rnacentral": _rnacentral_type, "ensembl": _ensembl_type, "nt": _title_type, "refseq": _title_type}
