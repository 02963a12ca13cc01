# Finds libtorch, in this order:
#   1. PANATUNE_TORCH or LIBTORCH in the environment: an unpacked libtorch distribution, or the torch folder of
#      a Python environment;
#   2. the cache, $PANATUNE_HOME (default ~/.cache/panatune)/natives;
#   3. else it is fetched into the cache, as pinned in natives.lock, by dev.panatune.natives.NativesFetcher. That
#      class is the one implementation of fetching: Maven compiles it before it calls CMake, and says where it and
#      its JDK are (PANATUNE_CLASSES, TOOLCHAIN_JAVA_HOME).
#
# find_package(Torch) is not used: on a CUDA wheel it fails without a CUDA toolkit. The imported targets are
# torch_cpu and c10; libtorch_cuda.so is never linked, it is loaded at run time where there is a driver.

set(PANATUNE_LOCK "${CMAKE_CURRENT_LIST_DIR}/natives.lock")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${PANATUNE_LOCK}")

# The version of libtorch that natives.lock pins.
function(panatune_pinned_version out)
  file(STRINGS "${PANATUNE_LOCK}" lines REGEX "^torch +[^ ]+ +torch==")
  list(GET lines 0 line)
  string(REGEX REPLACE ".* torch==([0-9.]+) .*" "\\1" version "${line}")
  set(${out} "${version}" PARENT_SCOPE)
endfunction()

# The version of the libtorch in `folder`, from version.py (Python) or build-version (distribution); "" where
# the folder holds neither.
function(panatune_torch_version folder out)
  set(version "")
  if(EXISTS "${folder}/version.py")
    file(STRINGS "${folder}/version.py" lines REGEX "^__version__ *=")
    string(REGEX REPLACE ".*['\"]([^'\"]+)['\"].*" "\\1" version "${lines}")
  elseif(EXISTS "${folder}/build-version")
    file(STRINGS "${folder}/build-version" version LIMIT_COUNT 1)
  endif()
  set(${out} "${version}" PARENT_SCOPE)
endfunction()

function(panatune_fetch_torch)
  if(DEFINED ENV{TOOLCHAIN_JAVA_HOME})
    set(java "$ENV{TOOLCHAIN_JAVA_HOME}/bin/java")
  elseif(DEFINED ENV{JAVA_HOME})
    set(java "$ENV{JAVA_HOME}/bin/java")
  else()
    set(java java)
  endif()
  if(NOT EXISTS "${PANATUNE_CLASSES}/dev/panatune/natives/NativesFetcher.class")
    message(FATAL_ERROR "libtorch is not on this machine, and the class that fetches it is not compiled: run "
                        "bin/panatune setup first, or build with Maven, which does both.")
  endif()
  execute_process(COMMAND "${java}" -Xmx256m -XX:+UseSerialGC -cp "${PANATUNE_CLASSES}"
                          dev.panatune.natives.NativesFetcher RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "libtorch could not be fetched; the reason stands above.")
  endif()
endfunction()

# Sets PANATUNE_TORCH_DIR to a folder with lib/ and include/, of the pinned version.
function(panatune_find_torch)
  panatune_pinned_version(pinned)
  foreach(variable PANATUNE_TORCH LIBTORCH)
    if(NOT "$ENV{${variable}}" STREQUAL "")
      set(folder "$ENV{${variable}}")
      set(origin "${variable}=$ENV{${variable}}")
      break()
    endif()
  endforeach()
  if(NOT DEFINED folder)
    if(NOT "$ENV{PANATUNE_HOME}" STREQUAL "")
      set(home "$ENV{PANATUNE_HOME}")
    else()
      set(home "$ENV{HOME}/.cache/panatune")
    endif()
    set(folder "${home}/natives/torch-${pinned}/torch")
    set(origin "the cache, ${home}")
    # The fetcher looks for itself what is there and whole, and is quick where all is.
    panatune_fetch_torch()
  endif()

  panatune_torch_version("${folder}" version)
  if(version STREQUAL "" OR NOT IS_DIRECTORY "${folder}/include" OR NOT IS_DIRECTORY "${folder}/lib")
    message(FATAL_ERROR "No libtorch in ${folder} (${origin}): expected version.py or build-version, lib/ and "
                        "include/. Point PANATUNE_TORCH at an unpacked libtorch ${pinned} or at the torch folder of "
                        "a Python environment that has it, or unset it to have libtorch fetched.")
  endif()
  string(REGEX REPLACE "[+].*" "" release "${version}")
  if(NOT release STREQUAL pinned)
    message(FATAL_ERROR "libtorch ${version} in ${folder} (${origin}) is of another version than libtorch ${pinned}, "
                        "which this Panatune is made for. Install ${pinned} there, or unset the variable to have it "
                        "fetched.")
  endif()
  message(STATUS "libtorch ${version}: ${folder}")
  set(PANATUNE_TORCH_DIR "${folder}" PARENT_SCOPE)
  set(PANATUNE_TORCH_VERSION "${version}" PARENT_SCOPE)
endfunction()

panatune_find_torch()

foreach(library c10 torch_cpu)
  add_library(${library} SHARED IMPORTED)
  set_target_properties(
    ${library}
    PROPERTIES IMPORTED_LOCATION "${PANATUNE_TORCH_DIR}/lib/${CMAKE_SHARED_LIBRARY_PREFIX}${library}${CMAKE_SHARED_LIBRARY_SUFFIX}"
               INTERFACE_INCLUDE_DIRECTORIES
               "${PANATUNE_TORCH_DIR}/include;${PANATUNE_TORCH_DIR}/include/torch/csrc/api/include")
endforeach()
