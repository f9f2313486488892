# The files that stand alone and the flags they need: read by Bitloom's own build and by that of every bundle.
# Sets qsimd_kernels, qsimd_runtime and qsimd_runner. Every instruction set is compiled whatever the building machine
# has; kernels/registry.cpp asks the processor at run time.
set(qsimd_kernels kernels/registry.cpp kernels/scalar.cpp)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  list(APPEND qsimd_kernels kernels/neon.cpp kernels/neon_dot.cpp kernels/neon_i8mm.cpp)
  # Scheduling before registers are given out makes g++ 12 spill the sums of a tile.
  set(unscheduled $<$<CXX_COMPILER_ID:GNU>:-fno-schedule-insns>)
  set_source_files_properties(kernels/neon.cpp PROPERTIES COMPILE_OPTIONS "${unscheduled}")
  set_source_files_properties(kernels/neon_dot.cpp PROPERTIES COMPILE_OPTIONS
    "-march=armv8.2-a+dotprod;${unscheduled}")
  set_source_files_properties(kernels/neon_i8mm.cpp PROPERTIES COMPILE_OPTIONS
    "-march=armv8.2-a+dotprod+i8mm;${unscheduled}")
else()
  list(APPEND qsimd_kernels kernels/avx2.cpp kernels/avx512.cpp)
  # g++ warns of attributes that intrinsic types lose as template arguments, and of undefined values that its own
  # intrinsics ask for; nothing depends on either.
  set_source_files_properties(kernels/avx2.cpp PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma;-Wno-ignored-attributes")
  set_source_files_properties(kernels/avx512.cpp PROPERTIES COMPILE_OPTIONS
    "-mavx512f;-mavx512bw;-mavx512vnni;-mprefer-vector-width=512;-Wno-ignored-attributes;-Wno-uninitialized")
endif()
set(qsimd_runtime
  runtime/model.cpp runtime/validate.cpp runtime/model_file.cpp runtime/thread_pool.cpp runtime/dispatch.cpp
  runtime/panels.cpp runtime/convolution.cpp runtime/convolution_run.cpp runtime/plain_steps.cpp runtime/network.cpp
  runtime/hashes.cpp)
set(qsimd_runner runner/main.cpp runner/options.cpp runner/measure.cpp runner/print.cpp)
# Multiply-adds are written out where they are meant: outputs are the same on every machine.
set(qsimd_options -ffp-contract=off)
