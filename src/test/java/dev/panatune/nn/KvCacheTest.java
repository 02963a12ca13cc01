package dev.panatune.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.panatune.error.ConfigurationException;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import org.junit.jupiter.api.Test;

class KvCacheTest {
  @Test
  void givesBackAllThatWasAppended() {
    try (TensorScope _ = TensorScope.open();
        KvCache cache = new KvCache(1, 7)) {
      Tensor keys = Tensor.randn(DType.FLOAT32, 2, 3, 5, 4);
      Tensor values = Tensor.randn(DType.FLOAT32, 2, 3, 5, 4);
      cache.layer(0).append(keys.narrow(2, 0, 3), values.narrow(2, 0, 3));
      cache.advance(3);
      KvCache.Contents all = cache.layer(0).append(keys.narrow(2, 3, 2), values.narrow(2, 3, 2));
      cache.advance(2);
      assertEquals(5, cache.length());
      assertArrayEquals(keys.toFloats(), all.keys().toFloats());
      assertArrayEquals(values.toFloats(), all.values().toFloats());
    }
  }

  @Test
  void refusesMoreThanItHasRoomFor() {
    try (TensorScope _ = TensorScope.open();
        KvCache cache = new KvCache(1, 4)) {
      Tensor three = Tensor.zeros(DType.FLOAT32, 1, 1, 3, 2);
      cache.layer(0).append(three, three);
      cache.advance(3);
      var error =
          assertThrows(ConfigurationException.class, () -> cache.layer(0).append(three, three));
      assertEquals(
          "The key-value cache has room for 4 positions; 3 are in use and 3 more were given",
          error.getMessage());
    }
  }

  @Test
  void closingFreesTheRoom() {
    long before = TensorScope.liveTensors();
    try (KvCache cache = new KvCache(2, 4)) {
      try (TensorScope _ = TensorScope.open()) {
        Tensor one = Tensor.zeros(DType.FLOAT32, 1, 1, 1, 2);
        cache.layer(0).append(one, one);
        cache.layer(1).append(one, one);
      }
      assertEquals(before + 4, TensorScope.liveTensors());
    }
    assertEquals(before, TensorScope.liveTensors());
  }
}
