"""config/small.yaml: its plan, and its downloads from a server with the databases' layouts and with faults."""

import json

import mirrors
import pytest
import yaml
from faulty_server import Drop, FaultyServer, Refuse, WrongLength
from snake import ROOT, planned, snakemake

PROFILE = ("--profile", "workflow/profiles/demo")
PLACES = {
    "rnacentral": "rnacentral/releases/26.0",
    "rfam": "rfam/15.1",
    "ensembl": f"ensembl/{mirrors.VERTEBRATES}",
    "refseq": f"ncbi/{mirrors.YEAST}",
}


@pytest.fixture
def config():
    return yaml.safe_load((ROOT / "config/small.yaml").read_text())


def test_the_whole_run_is_planned(clone, config):
    jobs = planned(*PROFILE, "--configfile", "config/small.yaml", "-n", "all", cwd=clone)
    # The task's labelled RNAs are a download of their own, of what ships.
    assert jobs["retrieve"] == len(config["corpus"]["sources"]) + 1 == 5
    assert jobs["normalise"] == 4
    assert {"deduplicate", "cluster", "draw", "pretrain", "finetune", "evaluate", "report"} <= set(jobs)


def test_its_downloads_arrive_in_spite_of_faults(clone, config, tmp_path):
    mirrors.write(tmp_path / "databases")
    sources = config["corpus"]["sources"]
    with FaultyServer() as server:
        server.serve(tmp_path / "databases")
        server.faults = {path: [Refuse(503), Drop(50), WrongLength(3)] for path in server.files}
        for source, place in PLACES.items():
            sources[source]["base_url"] = f"{server.url}/{place}"
        (clone / "config/own.yaml").write_text(yaml.safe_dump(config))
        manifests = [f"resources/{source}/{part['release']}/manifest.json" for source, part in sources.items()]
        done = snakemake(*PROFILE, "--configfile", "config/own.yaml", "--", *manifests, cwd=clone)
        assert done.returncode == 0, done.stdout + done.stderr
        found = {}
        for source, manifest in zip(sources, manifests, strict=True):
            content = json.loads((clone / manifest).read_text())
            for item in content["outputs"]:
                name = f"{PLACES[source]}/{item['path']}"
                assert (clone / manifest).parent.joinpath(item["path"]).read_bytes() == server.files[name]
            found[source] = [file for file in content["notes"]["files"] if file["use"] == "corpus"]
    assert [len(found[source]) for source in PLACES] == [1, 2, 1, 1]
    assert found["refseq"][0]["select"] == "refseq_rna"
    assert [file["rna_type"] for file in found["rfam"]] == ["5_8S_rRNA", "SAM"]


def test_the_newest_releases_are_asked_for_on_demand_only(clone):
    assert "check_releases" not in planned(*PROFILE, "-n", "all", cwd=clone)
    assert planned(*PROFILE, "-n", "check_releases", cwd=clone) == {"check_releases": 1}
