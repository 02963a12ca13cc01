package dev.panatune.format;

import static dev.panatune.format.SafetensorsBytes.tensor;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.FormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class SafetensorsIndexTest {
  private static final String INDEX = "model.safetensors.index.json";

  @TempDir Path parent;
  private Path directory;

  @BeforeEach
  void makeShards() throws IOException {
    directory = Files.createDirectory(parent.resolve("model"));
    shard(directory.resolve("one.safetensors"), "a");
    shard(directory.resolve("two.safetensors"), "b");
    shard(parent.resolve("outside.safetensors"), "a");
  }

  private static void shard(Path path, String name) throws IOException {
    Files.write(path, SafetensorsBytes.of("{" + tensor(name, "U8", "[2]", "[0,2]") + "}", 2));
  }

  @Test
  void opensAShardedModel() {
    SafetensorsIndex index = SafetensorsIndex.open(Fixtures.path("sharded"));
    assertEquals(
        List.of("model.embed.weight", "lm_head.weight", "model.norm.weight"),
        List.copyOf(index.tensors().keySet()));
    assertEquals(
        "model-00002-of-00002.safetensors",
        index.fileOf("lm_head.weight").path().getFileName().toString());
    assertEquals(16, index.tensor("lm_head.weight").byteSize());
    assertEquals(Map.of("format", "pt"), index.metadata());
    assertEquals(2, index.files().size());
  }

  @Test
  void opensASingleFileAndPrefersItInADirectory() throws IOException {
    shard(directory.resolve("model.safetensors"), "single");
    Files.writeString(directory.resolve(INDEX), "not read");
    assertEquals(
        List.of("single"), List.copyOf(SafetensorsIndex.open(directory).tensors().keySet()));
    assertEquals(
        List.of("a"),
        List.copyOf(
            SafetensorsIndex.open(directory.resolve("one.safetensors")).tensors().keySet()));
  }

  static Stream<Arguments> refused() {
    return Stream.of(
        Arguments.of("{\"a\":\"/etc/passwd\"}", "is absolute"),
        Arguments.of("{\"a\":\"../outside.safetensors\"}", "\"..\""),
        Arguments.of("{\"a\":\"x/../../outside.safetensors\"}", "\"..\""),
        Arguments.of("{\"a\":\"./one.safetensors\"}", "\".\""),
        Arguments.of("{\"a\":\"x//one.safetensors\"}", "empty part"),
        Arguments.of("{\"a\":\"..\\\\outside.safetensors\"}", "back-slash"),
        Arguments.of("{\"a\":\"\"}", "is empty"),
        Arguments.of("{\"a\":\"one.safetensors\\u0000\"}", "NUL"),
        Arguments.of("{\"a\":\"link.safetensors\"}", "link that leads out"),
        Arguments.of("{\"a\":\"linked/outside.safetensors\"}", "link that leads out"),
        Arguments.of("{\"a\":3}", "no file name for the tensor \"a\""),
        Arguments.of("{\"a\":null}", "no file name"),
        Arguments.of("{\"a\":[\"one.safetensors\"]}", "no file name"),
        Arguments.of("{\"a\":\"three.safetensors\"}", "\"three.safetensors\", which is missing"),
        Arguments.of("{\"c\":\"one.safetensors\"}", "\"c\" is in \"one.safetensors\""),
        Arguments.of("{\"a\":\"one.safetensors\",\"a\":\"two.safetensors\"}", "\"a\" twice"),
        Arguments.of("{\"a\":\"one.safetensors\",\"b\":\"copy.safetensors\"}", "does not hold it"),
        Arguments.of(
            "{\"a\":\"one.safetensors\",\"x\":\"copy.safetensors\"}", "has the tensor \"a\" twice"),
        Arguments.of("{}", "no weight_map"),
        Arguments.of("[]", "no JSON object"));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("refused")
  void refuses(String weightMap, String message) throws IOException {
    Files.createSymbolicLink(
        directory.resolve("link.safetensors"), parent.resolve("outside.safetensors"));
    Files.createSymbolicLink(directory.resolve("linked"), parent);
    Files.write(
        directory.resolve("copy.safetensors"),
        SafetensorsBytes.of(
            "{" + tensor("a", "U8", "[2]", "[0,2]") + "," + tensor("x", "U8", "[]", "[2,3]") + "}",
            3));
    Files.writeString(directory.resolve(INDEX), "{\"weight_map\":" + weightMap + "}");
    assertRefused(message);
  }

  @Test
  void refusesADocumentThatIsNoIndex() throws IOException {
    for (String document :
        List.of(
            "",
            "[]",
            "{}",
            "{\"weight_map\":{\"a\":\"one.safetensors\"}} {}",
            "{\"weight_map\":{\"a\":\"one.safetensors\"},\"weight_map\":{}}",
            "{\"weight_map\":{\"a\":\"one.safetensors\"")) {
      Files.writeString(directory.resolve(INDEX), document);
      assertRefused(INDEX);
    }
  }

  @Test
  void followsLinksInsideOfAHuggingFaceCache() throws IOException {
    Path repository = parent.resolve("models--org--name");
    Path snapshot = Files.createDirectories(repository.resolve("snapshots/0123"));
    Path blobs = Files.createDirectories(repository.resolve("blobs"));
    shard(blobs.resolve("sha"), "a");
    Files.createSymbolicLink(snapshot.resolve("one.safetensors"), Path.of("../../blobs/sha"));
    Files.createSymbolicLink(
        snapshot.resolve("two.safetensors"), parent.resolve("outside.safetensors"));
    Files.writeString(snapshot.resolve(INDEX), "{\"weight_map\":{\"a\":\"one.safetensors\"}}");
    assertEquals(List.of("a"), List.copyOf(SafetensorsIndex.open(snapshot).tensors().keySet()));
    Files.writeString(snapshot.resolve(INDEX), "{\"weight_map\":{\"a\":\"two.safetensors\"}}");
    FormatException error =
        assertThrows(FormatException.class, () -> SafetensorsIndex.open(snapshot));
    assertTrue(error.getMessage().contains("leads out"), error.getMessage());
  }

  @Test
  void anUnknownTensorIsSaidWithTheNearest() {
    SafetensorsIndex index = SafetensorsIndex.open(Fixtures.path("sharded"));
    FormatException error =
        assertThrows(FormatException.class, () -> index.tensor("lm_head.weigth"));
    assertTrue(error.getMessage().contains("did you mean \"lm_head.weight\"?"), error.getMessage());
  }

  private void assertRefused(String message) {
    FormatException error =
        assertThrows(FormatException.class, () -> SafetensorsIndex.open(directory));
    assertTrue(error.getMessage().contains(message), error.getMessage());
  }
}
