package dev.panatune.natives;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.NativeLibraryException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativesLocatorTest {
  private static final Platform LINUX = new Platform("linux", "x86_64");

  @TempDir private Path root;

  private NativesLocator locator(Map<String, String> environment) {
    return new NativesLocator(environment, root.resolve("home"), NativesLock.load(), LINUX);
  }

  private Path pythonTorch(String folder, String version) throws IOException {
    Path torch = root.resolve(folder).resolve("torch");
    Files.createDirectories(torch.resolve("lib"));
    Files.createFile(torch.resolve("lib/libtorch_cpu.so"));
    Files.writeString(
        torch.resolve("version.py"), "debug = False\n__version__ = '" + version + "'\n");
    return torch;
  }

  @Test
  void prefersTheExplicitFolder() throws IOException {
    Path first = pythonTorch("first", "2.13.0+cu130");
    Path second = pythonTorch("second", "2.13.0");

    assertEquals(
        new LocatedLibrary(first, "2.13.0+cu130", "PANATUNE_TORCH"),
        locator(Map.of("PANATUNE_TORCH", first.toString(), "LIBTORCH", second.toString()))
            .requireTorch());
    assertEquals(
        new LocatedLibrary(second, "2.13.0", "LIBTORCH"),
        locator(Map.of("PANATUNE_TORCH", "", "LIBTORCH", second.toString())).requireTorch());
  }

  @Test
  void readsTheVersionOfADistribution() throws IOException {
    Path libtorch = Files.createDirectories(root.resolve("libtorch/lib")).getParent();
    Files.createFile(libtorch.resolve("lib/libtorch_cpu.so"));
    Files.writeString(libtorch.resolve("build-version"), "2.13.0+cpu\n");

    LocatedLibrary torch = locator(Map.of("LIBTORCH", libtorch.toString())).requireTorch();

    assertEquals("2.13.0+cpu", torch.version());
    assertEquals("2.13.0", torch.release());
  }

  @Test
  void refusesAnotherVersionAndNamesBoth() throws IOException {
    Path old = pythonTorch("old", "2.12.1+cu126");

    NativeLibraryException e =
        assertThrows(
            NativeLibraryException.class,
            () -> locator(Map.of("PANATUNE_TORCH", old.toString())).requireTorch());

    assertTrue(e.getMessage().contains("2.12.1+cu126"), e::getMessage);
    assertTrue(e.getMessage().contains("2.13.0"), e::getMessage);
    assertTrue(e.getMessage().contains(old.toString()), e::getMessage);
    assertTrue(e.getMessage().contains("unset PANATUNE_TORCH"), e::getMessage);
  }

  @Test
  void refusesAFolderThatIsNoLibtorch() {
    NativeLibraryException e =
        assertThrows(
            NativeLibraryException.class,
            () -> locator(Map.of("LIBTORCH", root.toString())).requireTorch());
    assertTrue(e.getMessage().contains("No libtorch in " + root), e::getMessage);
  }

  @Test
  void saysHowToGetWhatIsMissing() {
    NativeLibraryException e =
        assertThrows(NativeLibraryException.class, () -> locator(Map.of()).requireTorch());
    assertTrue(e.getMessage().contains("panatune setup"), e::getMessage);
    assertTrue(e.getMessage().contains("PANATUNE_TORCH"), e::getMessage);
  }

  @Test
  void aHalfFetchedCacheCountsAsMissing() throws IOException {
    Path torch = root.resolve("home/natives/torch-2.13.0/torch/lib/libtorch_cpu.so");
    Files.createDirectories(torch.getParent());
    Files.createFile(torch);

    assertEquals(Optional.empty(), locator(Map.of()).findTorch());
  }

  @Test
  void takesTheBitsandbytesBesideTorchIfItsVersionFits() throws IOException {
    Path torch = pythonTorch("site", "2.13.0");
    Path site = torch.getParent();
    Files.createDirectories(site.resolve("bitsandbytes"));
    Path info = Files.createDirectory(site.resolve("bitsandbytes-0.49.0.dist-info"));
    NativesLocator locator = locator(Map.of("PANATUNE_TORCH", torch.toString()));
    assertEquals(Optional.empty(), locator.findBitsandbytes());

    Files.move(info, site.resolve("bitsandbytes-0.50.2.dist-info"));
    assertEquals(
        Optional.of(new LocatedLibrary(site.resolve("bitsandbytes"), "0.50.2", "PANATUNE_TORCH")),
        locator.findBitsandbytes());
  }

  @Test
  void theCacheFollowsPanatuneHome() {
    assertEquals(
        Path.of("/somewhere/else"),
        PanatuneHome.path(Map.of("PANATUNE_HOME", "/somewhere/./else"), root));
    assertEquals(root.resolve(".cache/panatune"), PanatuneHome.path(Map.of(), root));
  }
}
