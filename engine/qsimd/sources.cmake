# The files that stand alone and the flags they need (kernels/flags.txt): read by Bitloom's own build and by that of every bundle.
# Sets qsimd_kernels, qsimd_runtime and qsimd_runner. Every instruction set is compiled whatever the building machine
# has; kernels/registry.cpp asks the processor at run time.
set(qsimd_kernels kernels/registry.cpp kernels/scalar.cpp)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(qsimd_processor arm)
else()
  set(qsimd_processor x86)
endif()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/kernels/flags.txt)
file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/kernels/flags.txt qsimd_lines REGEX "^kernels/")
foreach(line ${qsimd_lines})
  separate_arguments(flags UNIX_COMMAND "${line}")
  list(POP_FRONT flags source processor)
  if(processor STREQUAL qsimd_processor)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      list(TRANSFORM flags REPLACE "^gnu:" "")
    else()
      list(FILTER flags EXCLUDE REGEX "^gnu:")
    endif()
    list(APPEND qsimd_kernels ${source})
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${flags}")
  endif()
endforeach()
set(qsimd_runtime
  runtime/model.cpp runtime/validate.cpp runtime/model_file.cpp runtime/thread_pool.cpp runtime/dispatch.cpp
  runtime/panels.cpp runtime/convolution.cpp runtime/convolution_run.cpp runtime/plain_steps.cpp runtime/network.cpp
  runtime/hashes.cpp)
set(qsimd_runner runner/main.cpp runner/options.cpp runner/measure.cpp runner/print.cpp)
# Multiply-adds are written out where they are meant: outputs are the same on every machine.
set(qsimd_options -ffp-contract=off)
