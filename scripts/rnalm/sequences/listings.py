"""Files of a release that only the release itself knows: what its own tables list.

ensembl_species: the table of species in the root of a release, such as species_EnsemblVertebrates.txt. The RNAs of a
    species lie in fasta/{species}/ncrna/, those of a genome in a collection in fasta/{collection}/{species}/ncrna/; its
    core database begins with the collection's name. CHECKSUMS in that folder gives the file's name and sum.
    A species without RNAs has no such folder, which is normal and noted.
blast_database: the JSON beside a BLAST database, NCBI's nt-nucl-metadata.json of volumes (.tar.gz, with .md5 beside
    each) or of files. NCBI's address is the same for every version: `last-updated` is it.
blast_folder: the .ndb of a BLAST database in a folder on this machine; the other files are those beside it.
"""

import csv
import difflib
import fnmatch
import gzip
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from rnalm.errors import InputError
from rnalm.sequences.checksums import published_sums
from rnalm.sequences.releases import File, join, local_path
from rnalm.sequences.transfer import Client

NAME = re.compile(r"\w[\w.+-]*")
COLLECTION = re.compile(r"(\w+_collection)_core_\d+")
NCRNA = ".ncrna.fa.gz"
ARCHIVE = ".tar.gz"


@dataclass(frozen=True)
class Listed:
    """What a listing lists.

    files:  to be retrieved
    absent: names of what has no file, which is no error
    made:   entries that are no file, but made of the files: a BLAST database
    """

    files: tuple[File, ...]
    absent: tuple[str, ...] = ()
    made: tuple[File, ...] = ()


@dataclass(frozen=True)
class Listing:
    """A listing that has been retrieved.

    content:  of the file
    base_url: of its release
    version:  of its release
    client:   to read small files that it points to
    each:     applies a function to items, many at once: (function, items) -> results
    """

    file: File
    content: bytes
    base_url: str
    version: str
    client: Client
    each: Callable

    def url(self, path: str) -> str:
        return join(self.base_url, path)

    def read(self, path: str) -> bytes | None:
        return self.client.read(self.url(path))

    def exists(self, path: str) -> bool:
        url = self.url(path)
        return source.exists() if (source := local_path(url)) else self.client.version(url) is not None

    def wrong(self, problem: str, remedy: str = "check the source") -> InputError:
        return InputError(self.url(self.file.path), problem, remedy)

    def lists(self, path: str, form: str, use: str, **known) -> File:
        """A listed file; what the lock says of the listing's records holds for it."""
        return File(path, form, use, rna_type=self.file.rna_type, select=self.file.select, **known)


def ensembl_species(listing: Listing) -> Listed:
    """The RNAs of every species that a pattern of `only` names."""
    folders = species_folders(listing)
    found = listing.each(lambda folder: list(rna_files(listing, folder)), folders.values())
    absent = tuple(species for species, files in zip(folders, found, strict=True) if not files)
    if len(absent) == len(folders):
        raise listing.wrong(f"none of {len(folders)} species has RNAs below fasta/", "check the layout of the server")
    return Listed(tuple(file for files in found for file in files), absent)


def species_folders(listing: Listing) -> dict[str, str]:
    """{species: where its RNAs would lie, relative to the base URL}, of those that are asked for."""
    lines = listing.content.decode("utf-8", errors="replace").removeprefix("#").splitlines()
    header, *rows = csv.reader(lines or [""], delimiter="\t", quoting=csv.QUOTE_NONE)
    if "species" not in header:
        raise listing.wrong(f"is no table of species, it begins with {' '.join(header)[:60]!r}")
    column, found = header.index("species"), {}
    for row in filter(None, rows):
        species = row[column] if len(row) > column else ""
        if not NAME.fullmatch(species):
            raise listing.wrong(f"has a row without a species, {' '.join(row)[:60]!r}")
        # Looked for in all columns: headers and rows of these tables do not always have the same number of them.
        collections = [match[1] for field in row if (match := COLLECTION.match(field))]
        found[species] = "/".join(["fasta", *collections[:1], species, "ncrna"])
    for pattern in listing.file.only:
        if not fnmatch.filter(found, pattern):
            nearest = difflib.get_close_matches(pattern, found, n=1, cutoff=0) or ["none"]
            raise listing.wrong(f"has no species {pattern!r}", f"the nearest one is {nearest[0]!r}")
    wanted = {species for pattern in listing.file.only for species in fnmatch.filter(found, pattern)}
    return {species: folder for species, folder in found.items() if species in wanted}


def rna_files(listing: Listing, folder: str):
    """The RNAs in a folder, with the sum that Ensembl publishes; none if there is no such folder."""
    if (text := listing.read(f"{folder}/CHECKSUMS")) is None and (packed := listing.read(f"{folder}/CHECKSUMS.gz")):
        text = gzip.decompress(packed)
    if text is None:
        if listing.exists(f"{folder}/"):
            raise InputError(listing.url(folder), "has no CHECKSUMS", "check the layout of the server")
        return
    sums = published_sums(text.decode("utf-8", errors="replace"))
    names = [name for name in sums if name.endswith(NCRNA) and NAME.fullmatch(name)]
    if not names:
        raise InputError(listing.url(f"{folder}/CHECKSUMS"), f"names no file *{NCRNA}", "check the source")
    for name in names:
        yield listing.lists(f"{folder}/{name}", "fasta", "corpus", bsd_sum=sums[name])


def blast_database(listing: Listing) -> Listed:
    """The volumes or files of a BLAST database, and the database they make."""
    try:
        content = json.loads(listing.content)
        names = [PurePosixPath(name).name for name in content["files"]]
        database, updated = content["dbname"], content["last-updated"]
    except (ValueError, KeyError, TypeError) as error:
        problem = f"does not describe a BLAST database ({type(error).__name__}: {error})"
        raise listing.wrong(problem) from error
    if re.match(r"\d{4}-\d\d-\d\d", listing.version) and not updated.startswith(listing.version):
        problem = f"is of {updated[:10]} now, pinned is {listing.version}"
        raise listing.wrong(
            problem, "pin what the server has (rnalm releases --pin SOURCE), or name a mirror of the old one"
        )
    if content.get("dbtype", "Nucleotide") != "Nucleotide":
        raise listing.wrong("describes a protein database", "name a nucleotide one")
    if not names or not all(map(NAME.fullmatch, [database, *names])):
        raise listing.wrong("lists no files, or such as have no proper names")
    folder = PurePosixPath(listing.file.path).parent
    archives = [name for name in names if name.endswith(ARCHIVE)]
    files = [
        File(str(folder / name), "blast_part", "part", md5_url=f"{folder / name}.md5" if name in archives else None)
        for name in sorted(set(names))
    ]
    return Listed(tuple(files), made=(listing.lists(str(folder / database), "blastdb", "corpus"),))


def blast_folder(listing: Listing) -> Listed:
    """The files of a BLAST database beside its .ndb, and the database they make."""
    path = PurePosixPath(listing.file.path)
    if (here := local_path(listing.url(listing.file.path))) is None:
        raise listing.wrong("is not on this machine", "give a file: address, or name the JSON that describes it")
    # nt.nal, nt.ntf, nt.000.nsq, ...
    form = re.compile(rf"{re.escape(path.stem)}(\.\d+)?\.n\w\w")
    names = sorted(file.name for file in here.parent.iterdir() if form.fullmatch(file.name) and file.name != here.name)
    files = [File(str(path.parent / name), "blast_part", "part") for name in names]
    return Listed(tuple(files), made=(listing.lists(str(path.parent / path.stem), "blastdb", "corpus"),))


READERS = {"ensembl_species": ensembl_species, "blast_database": blast_database, "blast_folder": blast_folder}
