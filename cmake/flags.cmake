# Compiler flags that hold for every target of the project.
add_compile_definitions(_GNU_SOURCE QN_VERSION="${PROJECT_VERSION}")
add_compile_options(-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
                    -Wwrite-strings -Wpointer-arith -Wundef -fno-common)
if(QUINTAIN_WERROR)
  add_compile_options(-Werror)
endif()
if(QUINTAIN_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
if(QUINTAIN_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
include_directories(${PROJECT_SOURCE_DIR})

# The hot path runs through four libraries: inlined across them it is some per cent quicker. Fat
# objects, so that nm (tests/checks/proto_symbols) still sees what an archive calls, and so that the
# tests, which have no use for it, are linked without. In one piece: to link several at once
# takes a make, which a machine that builds with ninja may not have.
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
  set(QUINTAIN_LTO -flto -flto-partition=one)
  add_compile_options(-flto -ffat-lto-objects)
endif()
