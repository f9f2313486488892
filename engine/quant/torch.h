// What Bitloom uses of libtorch: tensors, autograd functions, the random generator. <torch/torch.h> would add
// torch::nn, optim and data, and half of the compile time of every file.
#pragma once

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/utils.h>
