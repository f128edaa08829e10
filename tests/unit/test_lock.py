"""The lock of releases: addresses, the shipped one, and mistakes."""

from pathlib import Path

import pytest
import yaml
from retrieval import LOCK, ROOT, fasta, release
from rnalm.errors import InputError
from rnalm.sequences.releases import File, load_lock, load_release, local_path, resolve


def test_urls():
    elsewhere = File("a/b.fa.gz", "fasta", "corpus", url="https://other/x/b.fa.gz")
    assert resolve(release(), None, elsewhere) == "https://other/x/b.fa.gz"
    assert resolve(release(), "file:mirror/", elsewhere) == "file:mirror/a/b.fa.gz"
    assert resolve(release(), None, fasta()) == "http://unused.invalid/a.fa.gz"
    assert local_path("file:///data/x%20y.fa") == Path("/data/x y.fa")
    assert local_path("file:resources/x.fa") == Path("resources/x.fa")
    assert local_path("https://a/b") is None


def test_the_shipped_lock():
    found = load_lock(LOCK)
    sets = yaml.safe_load((ROOT / "resources/nt_rules.yaml").read_text())
    assert {"rnacentral", "rfam", "nt", "ensembl", "ensembl_bacteria", "refseq", "bprna"} <= set(found)
    for releases in found.values():
        for pinned in releases.values():
            assert {file.select for file in pinned.files} <= {None, *sets}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"base_uri": "file:x"}, "unknown key 'base_uri'; the nearest known key is 'base_url'"),
        ({"base_url": "ftp://x"}, "key 'base_url' is wrong"),
        ({"files": []}, "key 'files' is wrong"),
        ({"files": [{"path": "../x", "format": "fasta", "use": "corpus"}]}, "key 'files.0.path' is wrong"),
        ({"files": [{"path": "x", "format": "fata", "use": "corpus"}]}, "key 'files.0.format' is wrong"),
        ({"files": [{"path": "x", "use": "corpus"}]}, "key 'files.0.format' is missing"),
    ],
)
def test_a_mistake_in_the_lock_is_one_line(tmp_path, change, said):
    files = [{"path": "x", "format": "fasta", "use": "corpus"}]
    entry = {"base_url": "file:x", "note": "", "licence": "", "files": files}
    (tmp_path / "lock.yaml").write_text(yaml.safe_dump({"rfam": {"1": entry | change}}))
    with pytest.raises(InputError) as caught:
        load_release(tmp_path / "lock.yaml", "rfam", "1")
    assert said in str(caught.value)
    assert "lock.yaml, rfam 1" in str(caught.value)
