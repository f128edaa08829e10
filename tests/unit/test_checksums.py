"""Checksums in the forms in which databases publish them."""

import mirrors
import pytest
from retrieval import SSU
from rnalm.sequences import checksums


@pytest.mark.parametrize("content", [b"", b"a", b"\xff" * 70_000, SSU])
def test_the_sum_is_the_classic_one(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    assert checksums.bsd_sum(tmp_path / "x") == mirrors.bsd_sum(content)


def test_checksum_files_in_the_forms_of_their_writers():
    digest = "0123456789abcdefABCDEF0123456789"
    forms = (
        digest,
        f"{digest}  nt.gz\n",
        f"{digest} *nt.gz",
        f"{'0' * 32}  ./x\n{digest}  ./nt.gz\n",
        f"{digest}\tnt.gz\r\n",
    )
    assert {checksums.published_md5(form, "nt.gz", "here") for form in forms} == {digest.lower()}
    text = "00123    45 A.ncrna.fa.gz\n6 7\tB.ncrna.fa.gz\n8 9 ./C.fa.gz\r\nno sum\n"
    assert checksums.published_sums(text) == {"A.ncrna.fa.gz": (123, 45), "B.ncrna.fa.gz": (6, 7), "C.fa.gz": (8, 9)}
