# Configures and builds native/ in one go, as Maven calls it:
#   cmake -DCLASSES=target/classes -DBINARY=target/native -P cmake/build.cmake
# Ninja is used where there is one. Both steps are quick where nothing changed, and the first notices when
# PANATUNE_TORCH points somewhere else.

find_program(NINJA NAMES ninja ninja-build)
if(EXISTS "${BINARY}/CMakeCache.txt")
  set(generator "")
elseif(NINJA)
  set(generator -G Ninja)
else()
  set(generator -G "Unix Makefiles")
endif()

set(log_level --log-level=STATUS)
if(QUIET)
  set(log_level --log-level=WARNING)
endif()

execute_process(COMMAND ${CMAKE_COMMAND} ${generator} ${log_level} -S "${CMAKE_CURRENT_LIST_DIR}/../native" -B "${BINARY}"
                        "-DPANATUNE_CLASSES=${CLASSES}" RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "The native part could not be configured; the reason stands above.")
endif()
# libtorch's headers take some 1.5 GB of memory a compiler, so not more than two at once.
execute_process(COMMAND ${CMAKE_COMMAND} --build "${BINARY}" --parallel 2 RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "The native part could not be built; the reason stands above.")
endif()
