"""What is said before the processes of pre-training are launched."""

import pytest
import torch
from rnalm.errors import InputError
from rnalm.training import launch
from rnalm.training.checkpoints import State
from small_models import TINY


def test_fewer_gpus_than_processes(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    launch.check_gpus(4)
    with pytest.raises(InputError, match=r"pretrain\.processes: asks for 7 GPUs of a node, and 4 can be used here"):
        launch.check_gpus(7)


def test_no_gpu_is_said_before_anything_is_compiled(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(InputError, match="asks for 1 GPUs of a node, and 0 can be used here"):
        launch.check(TINY, "model.yaml", "cuda", True, [], None, State(tmp_path, "x"))
    launch.check(TINY, "model.yaml", "cpu", False, [], None, State(tmp_path, "x"))


@pytest.mark.parametrize(("latest", "refused"), [(None, False), ({"processes": 2}, False), ({"processes": 7}, True)])
def test_a_checkpoint_goes_on_with_as_many_processes(latest, refused):
    if not refused:
        launch.check_processes(2, latest, None)
        return
    with pytest.raises(InputError, match="is 2, and what is to be continued was trained by 7; write 7"):
        launch.check_processes(2, latest, None)
