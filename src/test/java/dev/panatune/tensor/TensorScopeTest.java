package dev.panatune.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.TensorException;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(NoLeaks.class)
class TensorScopeTest {
  @Test
  void closingAScopeFreesExactlyWhatWasMadeInIt() {
    long before = TensorScope.liveTensors();
    long bytes = NativeMemory.liveBytes();
    try (TensorScope scope = TensorScope.open()) {
      Tensor a = Tensor.ones(DType.FLOAT32, 10, 10);
      a.add(a);
      assertEquals(2, scope.size());
      assertEquals(before + 2, TensorScope.liveTensors());
      assertEquals(bytes + 2 * 400, NativeMemory.liveBytes());
    }
    assertEquals(before, TensorScope.liveTensors());
    assertEquals(bytes, NativeMemory.liveBytes());
  }

  @Test
  void moreTensorsThanOneBatchAreFreed() {
    long before = TensorScope.liveTensors();
    try (TensorScope _ = TensorScope.open()) {
      for (int i = 0; i < 2000; i++) {
        Tensor.scalar(i, DType.FLOAT32);
      }
      assertEquals(before + 2000, TensorScope.liveTensors());
    }
    assertEquals(before, TensorScope.liveTensors());
  }

  @Test
  void innerResultsMoveOutOneScopeAtATime() {
    try (TensorScope outer = TensorScope.open()) {
      Tensor result;
      try (TensorScope inner = TensorScope.open()) {
        Tensor waste = Tensor.ones(DType.FLOAT32, 3);
        result = inner.moveToOuter(waste.add(1));
        assertEquals(1, inner.size());
        assertEquals(1, outer.size());
      }
      assertEquals(2.0f, result.toFloats()[0]);
    }
  }

  @Test
  void whatIsMovedOutOfTheOutermostScopeIsTheCallersToClose() {
    Tensor kept;
    try (TensorScope _ = TensorScope.open()) {
      kept = Tensor.ones(DType.FLOAT32, 3).moveToOuter();
    }
    assertEquals(1.0f, kept.toFloats()[0]);
    kept.close();
    assertTrue(kept.isClosed());
  }

  @Test
  void keptTensorsOutliveTheirScope() {
    Tensor kept;
    try (TensorScope _ = TensorScope.open()) {
      kept = Tensor.ones(DType.FLOAT32, 3).keep();
    }
    assertFalse(kept.isClosed());
    kept.close();
  }

  @Test
  void useAfterTheScopeIsOneClearError() {
    Tensor leaked;
    try (TensorScope _ = TensorScope.open()) {
      leaked = Tensor.ones(DType.FLOAT32, 3);
    }
    var error = assertThrows(TensorException.class, () -> leaked.add(1));
    assertTrue(error.getMessage().contains("after it was closed"), error.getMessage());
    assertThrows(TensorException.class, leaked::shape);
    assertThrows(TensorException.class, leaked::keep);
    assertThrows(TensorException.class, () -> Tensor.cat(0, leaked));
    assertEquals("Tensor(closed)", leaked.toString());
  }

  @Test
  void closingTwiceIsFine() {
    TensorScope scope = TensorScope.open();
    Tensor a = Tensor.ones(DType.FLOAT32, 3);
    a.close();
    a.close();
    assertEquals(0, scope.size());
    scope.close();
    scope.close();
  }

  @Test
  void closingATensorEarlyKeepsTheOthersInTheScope() {
    try (TensorScope scope = TensorScope.open()) {
      Tensor first = Tensor.ones(DType.FLOAT32, 1);
      Tensor second = Tensor.ones(DType.FLOAT32, 2);
      Tensor third = Tensor.ones(DType.FLOAT32, 3);
      first.close();
      second.keep();
      assertEquals(1, scope.size());
      assertEquals(3, third.numel());
      second.close();
    }
  }

  @Test
  void anOuterScopeCannotBeClosedBeforeTheInner() {
    TensorScope outer = TensorScope.open();
    TensorScope inner = TensorScope.open();
    assertThrows(TensorException.class, outer::close);
    inner.close();
    outer.close();
  }

  @Test
  void anotherThreadMayReadButNotMoveOrCloseAScopedTensor() throws InterruptedException {
    try (TensorScope scope = TensorScope.open()) {
      Tensor tensor = Tensor.ones(DType.FLOAT32, 3);
      assertEquals(null, failureOn(Thread.ofPlatform(), () -> tensor.toFloats()));
      assertTrue(failureOn(Thread.ofPlatform(), tensor::keep) instanceof TensorException);
      assertTrue(failureOn(Thread.ofPlatform(), tensor::close) instanceof TensorException);
      assertTrue(failureOn(Thread.ofPlatform(), scope::close) instanceof TensorException);
    }
  }

  @Test
  void aKeptTensorMayBeClosedByAnotherThread() throws InterruptedException {
    Tensor kept = Tensor.ones(DType.FLOAT32, 3);
    assertEquals(null, failureOn(Thread.ofPlatform(), kept::close));
  }

  @Test
  void virtualThreadsAreRefusedByName() throws InterruptedException {
    var error = failureOn(Thread.ofVirtual().name("carrier-hopper"), TensorScope::open);
    assertTrue(error instanceof TensorException, String.valueOf(error));
    assertTrue(error.getMessage().contains("virtual thread"), error.getMessage());
    assertTrue(error.getMessage().contains("carrier-hopper"), error.getMessage());
    assertTrue(failureOn(Thread.ofVirtual(), GradMode::disable) instanceof TensorException);
  }

  @Test
  void aScopeThatLeaksIsSeenByTheCounter() {
    long before = TensorScope.liveTensors();
    Tensor leak = Tensor.ones(DType.FLOAT32, 3);
    assertEquals(before + 1, TensorScope.liveTensors());
    leak.close();
  }

  private static Throwable failureOn(Thread.Builder builder, Runnable body)
      throws InterruptedException {
    AtomicReference<Throwable> failure = new AtomicReference<>();
    builder
        .start(() -> {
          try {
            body.run();
          } catch (Throwable e) {
            failure.set(e);
          }
        })
        .join();
    return failure.get();
  }
}
