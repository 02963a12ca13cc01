/* Proves that panatune.h is C, and that errors come back as errors. Exits with 0 if all holds. */
#include <stdio.h>
#include <string.h>

#include "panatune.h"

static int failures = 0;

#define EXPECT(condition)                                                   \
  do {                                                                      \
    if (!(condition)) {                                                     \
      fprintf(stderr, "line %d: %s does not hold\n", __LINE__, #condition); \
      failures++;                                                           \
    }                                                                       \
  } while (0)

static pt_error error;

static pt_tensor make(float* memory, int64_t rows, int64_t columns, int64_t* borrows) {
  int64_t sizes[2] = {rows, columns};
  pt_tensor tensor = NULL;
  EXPECT(pt_tensor_from_memory(memory, sizes, 2, 6, borrows, &tensor, &error) == PT_OK);
  return tensor;
}

static void check_version(void) {
  int32_t abi = 0;
  const char* torch = NULL;
  EXPECT(pt_version(&abi, &torch, &error) == PT_OK);
  EXPECT(abi == PT_ABI_VERSION);
  EXPECT(torch != NULL && strlen(torch) > 0);
}

static void check_call(void) {
  float memory[4] = {1, 2, 3, 4};
  int64_t borrows = 0;
  pt_tensor tensor = make(memory, 2, 2, &borrows);
  EXPECT(borrows == 1);

  pt_op mm = NULL;
  EXPECT(pt_op_find("aten::mm", "", &mm, &error) == PT_OK);
  pt_value arguments[2] = {{PT_TENSOR, 0, {.tensor = tensor}}, {PT_TENSOR, 0, {.tensor = tensor}}};
  pt_value results[1];
  int32_t count = 0;
  EXPECT(pt_op_call(mm, arguments, 2, results, 1, &count, &error) == PT_OK);
  EXPECT(count == 1 && results[0].tag == PT_TENSOR);

  pt_metadata metadata;
  EXPECT(pt_tensor_metadata(results[0].as.tensor, &metadata, &error) == PT_OK);
  EXPECT(metadata.dims == 2 && metadata.sizes[0] == 2 && metadata.sizes[1] == 2);
  const float* data = metadata.data;
  EXPECT(data[0] == 7 && data[1] == 10 && data[2] == 15 && data[3] == 22);

  pt_tensor both[3] = {tensor, NULL, results[0].as.tensor};
  EXPECT(pt_tensors_free(both, 3, &error) == PT_OK);
  EXPECT(borrows == 0);
}

static void check_errors(void) {
  float memory[6] = {0};
  int64_t borrows = 0;
  pt_tensor tensor = make(memory, 2, 3, &borrows);
  pt_op op = NULL;
  EXPECT(pt_op_find("aten::nothing", "", &op, &error) == PT_ERROR_ARGUMENT);
  EXPECT(op == NULL && strstr(error.message, "aten::nothing") != NULL);
  EXPECT(error.length == (int32_t)strlen(error.message));

  EXPECT(pt_op_find("aten::mm", "", &op, &error) == PT_OK);
  pt_value arguments[2] = {{PT_TENSOR, 0, {.tensor = tensor}}, {PT_TENSOR, 0, {.tensor = tensor}}};
  pt_value results[1];
  int32_t count = -1;
  EXPECT(pt_op_call(op, arguments, 2, results, 1, &count, &error) == PT_ERROR_TORCH);
  EXPECT(strstr(error.message, "2x3") != NULL);
  arguments[1].tag = PT_STRING;
  EXPECT(pt_op_call(op, arguments, 2, results, 1, &count, NULL) == PT_ERROR_ARGUMENT);
  EXPECT(pt_op_call(op, arguments, 1, results, 1, &count, &error) == PT_ERROR_ARGUMENT);
  EXPECT(count == -1);

  pt_metadata metadata;
  EXPECT(pt_tensor_metadata(NULL, &metadata, &error) == PT_ERROR_ARGUMENT);
  pt_mapping mapping = NULL;
  int64_t bytes = 0;
  EXPECT(pt_mapping_open("no/such/file", &mapping, &bytes, &error) == PT_ERROR_IO);
  EXPECT(mapping == NULL && strstr(error.message, "no/such/file") != NULL);
  EXPECT(pt_tensors_free(&tensor, 1, &error) == PT_OK);
}

static void check_nothing_is_left(void) {
  pt_memory_stats stats;
  EXPECT(pt_memory_read(&stats, &error) == PT_OK);
  EXPECT(stats.live_handles == 0);
  EXPECT(stats.live_bytes == 0);
}

int main(void) {
  check_version();
  check_call();
  check_errors();
  check_nothing_is_left();
  if (failures == 0) {
    puts("abi_test: all holds");
  }
  return failures == 0 ? 0 : 1;
}
