package dev.panatune.natives;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.FormatException;
import java.util.List;
import org.junit.jupiter.api.Test;

class NativesLockTest {
  private static final Platform LINUX = new Platform("linux", "x86_64");

  @Test
  void pinsWhatThisBuildIsMadeFor() {
    NativesLock lock = NativesLock.load();

    assertEquals("2.13.0", lock.version(NativesLock.TORCH));
    assertEquals("0.50.2", lock.version(NativesLock.BITSANDBYTES));
    assertEquals(
        List.of("torch", "nvidia-cuda-runtime", "nvidia-cuda-cupti"),
        lock.wheels(NativesLock.TORCH, LINUX).stream().map(LockedWheel::name).toList());
    assertTrue(lock.wheels(NativesLock.TORCH, new Platform("windows", "x86_64")).isEmpty());
  }

  @Test
  void neverUnpacksTheCudaLibrary() {
    LockedWheel torch = NativesLock.load().wheels(NativesLock.TORCH, LINUX).getFirst();

    assertTrue(torch.unpacks("torch/lib/libtorch_cpu.so"));
    assertTrue(torch.unpacks("torch/include/ATen/ATen.h"));
    assertFalse(torch.unpacks("torch/lib/libtorch_cuda.so"));
    assertFalse(torch.unpacks("torch/lib/libtorch_python.so"));
  }

  @Test
  void refusesALineThatIsNoWheel() {
    FormatException e =
        assertThrows(
            FormatException.class,
            () -> NativesLock.parse("torch linux-x86_64 torch==1 any abc x"));
    assertTrue(e.getMessage().contains("torch==1 any abc"), e::getMessage);
  }

  @Test
  void namesPlatformsAsTheLockDoes() {
    assertEquals("linux-x86_64", Platform.of("Linux", "amd64").id());
    assertEquals("linux-aarch64", Platform.of("Linux", "aarch64").id());
    assertEquals("macos-aarch64", Platform.of("Mac OS X", "aarch64").id());
    assertEquals("libtorch_cpu.dylib", Platform.of("Mac OS X", "aarch64").library("torch_cpu"));
  }
}
