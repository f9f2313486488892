#!/usr/bin/env python3
"""Writes the weight files that tests/checkpoint reads: real output of PyTorch, h5py and zipfile, so that Bitloom's
readers are checked against the programs they must understand. Needs torch, numpy and h5py (Debian: python3-torch
python3-h5py). Run it in this folder; the files are committed, so tests need no Python.

Element i of every tensor is ((37 i mod 101) - 50) / 64, exact in every floating dtype; integers are 37 i mod 101.
"""
import collections
import zipfile

import h5py
import numpy as np
import torch


def floats(*shape, dtype=torch.float32):
    count = int(np.prod(shape))
    values = [((37 * i) % 101 - 50) / 64 for i in range(count)]
    return torch.tensor(values, dtype=torch.float64).to(dtype).reshape(shape)


def integers(*shape, dtype=torch.int64):
    count = int(np.prod(shape))
    return torch.tensor([(37 * i) % 101 for i in range(count)], dtype=dtype).reshape(shape)


def tensors():
    base = floats(4, 6)
    entries = collections.OrderedDict()
    entries["float32"] = floats(2, 3, 4)
    entries["float64"] = floats(5, dtype=torch.float64)
    entries["float16"] = floats(3, 3, dtype=torch.float16)
    entries["bfloat16"] = floats(7, dtype=torch.bfloat16)
    entries["int64"] = integers(3)
    entries["int32"] = integers(3, dtype=torch.int32)
    entries["int16"] = integers(3, dtype=torch.int16)
    entries["int8"] = integers(3, dtype=torch.int8)
    entries["uint8"] = integers(3, dtype=torch.uint8)
    entries["bool"] = torch.tensor([True, False, True, True])
    entries["scalar"] = floats()
    entries["empty"] = torch.empty(0, 3)
    entries["base"] = base
    entries["same"] = base
    entries["rows"] = base[1:3]
    entries["columns"] = base[:, 1::2]
    entries["transposed"] = base.t()
    entries["expanded"] = base[2:3, 3:4].expand(3, 2)
    entries["parameter"] = torch.nn.Parameter(floats(3))
    return entries


def checkpoint():
    """The shape of a training script's checkpoint: network, optimizer, schedule, scores."""
    network = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5])
    network(floats(1, 3)).sum().backward()
    optimizer.step()
    return {
        "epoch": 7,
        "best": 91.5,
        "arch": "tiny",
        "done": True,
        "nothing": None,
        "score": np.float64(0.25),
        "state_dict": tensors(),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "sets": {"seen": {1, 2}, "sizes": torch.Size([2, 3]), "device": torch.device("cpu"), "type": torch.float16},
    }


def write_torch():
    torch.manual_seed(1)
    content = checkpoint()
    torch.save(content, "torch_zip.pt")
    torch.save(content, "torch_zip_protocol4.pt", pickle_protocol=4)
    torch.save(content, "torch_legacy.th", _use_new_zipfile_serialization=False)
    with zipfile.ZipFile("torch_zip.pt") as source, zipfile.ZipFile("torch_deflated.pt", "w") as target:
        for name in source.namelist():
            target.writestr(zipfile.ZipInfo(name), source.read(name), zipfile.ZIP_DEFLATED)
    torch.save(torch.nn.Linear(2, 2), "torch_module.pt")
    torch.jit.script(torch.nn.ReLU()).save("torch_script.pt")


def write_hdf5():
    with h5py.File("h5py.h5", "w") as file:
        file.attrs["framework"] = np.bytes_("h5py")
        file.attrs["variable"] = "passed over"
        file.attrs["epoch"] = 7
        file.attrs["best"] = 91.5
        layer = file.create_group("layer1/conv")
        layer["weight"] = floats(2, 3, 3, 3).numpy()
        layer.create_dataset("packed", data=floats(4, 8).numpy(), chunks=(2, 4), compression="gzip")
        layer["half"] = floats(5).numpy().astype(np.float16)
        layer["double"] = floats(5).numpy().astype(np.float64)
        layer["big_endian"] = floats(5).numpy().astype(">f4")
        layer["int32"] = integers(3).numpy().astype(np.int32)
        layer["uint8"] = integers(3).numpy().astype(np.uint8)
        layer["bool"] = np.array([True, False])
        file["scalar"] = np.float32(0.5)
        file["empty"] = np.zeros((0, 3), np.float32)
        file["note"] = "text is no weight"


if __name__ == "__main__":
    write_torch()
    write_hdf5()
