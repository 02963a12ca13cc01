package dev.panatune.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.FormatException;
import dev.panatune.natives.NativeLibraries;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.NoLeaks;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The tensors of {@code torch.save} archives have the numbers that PyTorch gave them. */
@ExtendWith(NoLeaks.class)
class TorchStoreTest {
  @TempDir Path directory;

  @BeforeAll
  static void loadTheNatives() {
    NativeLibraries.load();
  }

  @ParameterizedTest
  @ValueSource(strings = {"all.pt", "deflated.pt"})
  void equalPyTorchs(String name) {
    try (TensorScope _ = TensorScope.open();
        WeightStore store = TorchStore.open(TorchIndex.open(TorchFileTest.fixture(name)))) {
      Map<String, Tensor> expected = TensorFile.read(TorchFileTest.fixture("all.safetensors"));
      expected.forEach((tensor, value) -> {
        Tensor found = store.tensor(tensor);
        assertEquals(value.dtype(), found.dtype(), tensor);
        assertArrayEquals(value.shape(), found.shape(), tensor);
        assertArrayEquals(value.toBytes(), found.toBytes(), tensor);
      });
      assertEquals(26, expected.size());
    }
  }

  @Test
  void tensorsOfOneStorageShareTheFilesPages() {
    try (TensorScope _ = TensorScope.open();
        WeightStore store = TorchStore.open(TorchIndex.open(TorchFileTest.fixture("all.pt")))) {
      Tensor head = store.tensor("shared_head");
      Tensor tail = store.tensor("shared_tail");
      assertEquals(head.address() + 2 * DType.BFLOAT16.byteSize(), tail.address());
    }
  }

  @Test
  void aTypeThatCannotBeComputedWithIsNamed() {
    try (TensorScope _ = TensorScope.open();
        WeightStore store = TorchStore.open(TorchIndex.open(TorchFileTest.fixture("all.pt")))) {
      assertEquals(Optional.empty(), store.dtype("dtypes.complex64"));
      FormatException error =
          assertThrows(FormatException.class, () -> store.tensor("dtypes.complex64"));
      assertTrue(error.getMessage().contains("dtypes.complex64: complex64"), error.getMessage());
    }
  }

  @Test
  void damagedDataAreRefused() throws IOException {
    byte[] bytes = Files.readAllBytes(TorchFileTest.fixture("deflated.pt"));
    TorchFile whole = TorchFile.open(TorchFileTest.fixture("deflated.pt"));
    ZipMember member = whole.storageOf(whole.tensor("transposed"));
    bytes[(int) member.offset() + 5] ^= 0x20;
    Path file = Files.write(directory.resolve("damaged.pt"), bytes);
    try (TensorScope _ = TensorScope.open();
        WeightStore store = TorchStore.open(TorchIndex.open(file))) {
      FormatException error = assertThrows(FormatException.class, () -> store.tensor("strided"));
      assertTrue(error.getMessage().contains(member.name()), error.getMessage());
    }
  }
}
