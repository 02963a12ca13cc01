package dev.panatune.format;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.FormatException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class InspectionTest {
  @TempDir Path directory;

  @Test
  void tellsASafetensorsFile() {
    Inspection inspection = Inspection.of(Fixtures.path("all_types.safetensors"));
    assertEquals("safetensors", inspection.kind().label());
    assertEquals(Map.of("format", "pt"), inspection.metadata());
    assertEquals(15, inspection.tensors().size());
    InspectedTensor first = inspection.tensors().getFirst();
    assertEquals("i64", first.name());
    assertEquals("I64", first.dtype());
    assertEquals(3, first.elements());
    assertEquals(147, inspection.byteSize());
    assertEquals(52, inspection.elements());
  }

  @Test
  void tellsAGgufFileWhateverItsName() throws IOException {
    Path file =
        Files.copy(Fixtures.path("all_types.gguf"), directory.resolve("weights.safetensors"));
    Inspection inspection = Inspection.of(file);
    assertEquals("gguf", inspection.kind().label());
    assertEquals("llama", inspection.metadata().get("general.architecture"));
    assertEquals("Q4_0", inspection.tensors().getFirst().dtype());
  }

  @Test
  void tellsAnArchiveOfTorchSave() throws IOException {
    Path file = Files.copy(TorchFileTest.fixture("all.pt"), directory.resolve("weights.bin"));
    Inspection inspection = Inspection.of(file);
    assertEquals("torch", inspection.kind().label());
    assertEquals(3L, inspection.metadata().get("epoch"));
    assertEquals("float32", inspection.tensors().getFirst().dtype());
    assertEquals(inspection.tensors().size(), Inspection.of(directory).tensors().size());
    Inspection sharded =
        Inspection.of(TorchFileTest.fixture("untied/pytorch_model.bin.index.json"));
    assertEquals(2, sharded.files().size());
    assertEquals(39, sharded.tensors().size());
  }

  @Test
  void tellsAModelsDirectoryAndAnIndex() {
    Inspection model = Inspection.of(Fixtures.path("sharded"));
    assertEquals("model", model.kind().label());
    assertEquals(
        Map.of(
            "config",
            Map.of("model_type", "llama", "hidden_size", 2),
            "safetensors",
            Map.of("format", "pt")),
        model.metadata());
    assertEquals(2, model.files().size());
    assertEquals(18, model.elements());
    Inspection index = Inspection.of(Fixtures.path("sharded/model.safetensors.index.json"));
    assertEquals("safetensors", index.kind().label());
    assertEquals(3, index.tensors().size());
  }

  @Test
  void tellsAnAdaptersDirectory() throws IOException {
    Files.writeString(directory.resolve("adapter_config.json"), "{\"peft_type\": \"LORA\"}");
    TensorSpec spec = new TensorSpec("lora_A.weight", SafetensorsDtype.F32, 2);
    try (SafetensorsWriter writer =
        SafetensorsWriter.create(
            directory.resolve("adapter_model.safetensors"), List.of(spec), Map.of())) {
      writer.append("lora_A.weight", MemorySegment.ofArray(new float[2]));
      writer.commit();
    }
    Inspection inspection = Inspection.of(directory);
    assertEquals("adapter", inspection.kind().label());
    assertEquals(Map.of("peft_type", "LORA"), inspection.metadata().get("adapter_config"));
    assertEquals("lora_A.weight", inspection.tensors().getFirst().name());
  }

  @Test
  void tellsADirectoryWithOneFileOfWeights() throws IOException {
    Files.copy(Fixtures.path("all_types.gguf"), directory.resolve("a.gguf"));
    assertEquals("gguf", Inspection.of(directory).kind().label());
    Files.copy(Fixtures.path("all_types.gguf"), directory.resolve("b.gguf"));
    assertRefused(
        directory, "2 safetensors, GGUF or torch.save files; name one of them: a.gguf, b.gguf");
  }

  @Test
  void saysWhatItCannotTell() throws IOException {
    assertRefused(directory.resolve("none"), "does not exist");
    assertRefused(directory, "no config.json");
    assertRefused(Files.createFile(directory.resolve("empty.gguf")), "is empty");
    assertRefused(Files.writeString(directory.resolve("a.txt"), "some text"), "neither");
    assertRefused(Files.writeString(directory.resolve("b"), "x"), "neither");
    assertRefused(Files.writeString(directory.resolve("m.safetensors"), "x"), "too short");
    assertRefused(Files.writeString(directory.resolve("m.gguf"), "GGU"), "within the magic");
    assertRefused(Files.writeString(directory.resolve("p.pt"), "PK\3\4 and more"), "zip file");
    assertRefused(
        Files.write(directory.resolve("q.bin"), new byte[] {(byte) 0x80, 2, 3}), "torch.save");
  }

  @Test
  void aGitLfsPointerIsNamedAsSuch() throws IOException {
    String pointer = "version https://git-lfs.example/spec/v1\noid sha256:00\nsize 12\n";
    for (String name : List.of("m.safetensors", "m.gguf", "m.bin")) {
      assertRefused(Files.writeString(directory.resolve(name), pointer), "git lfs pull");
    }
  }

  @Test
  void aConfigurationThatIsNoObjectIsRefused() throws IOException {
    for (String config : List.of("", "[1]", "{\"a\": 1, \"a\": 2}", "{} {}", "{\"a\": }", "x")) {
      Files.writeString(directory.resolve("config.json"), config);
      Files.copy(
          Fixtures.path("sharded/model-00001-of-00002.safetensors"),
          directory.resolve("model.safetensors"),
          StandardCopyOption.REPLACE_EXISTING);
      assertRefused(directory, "config.json");
    }
  }

  private static void assertRefused(Path path, String message) {
    FormatException error = assertThrows(FormatException.class, () -> Inspection.of(path));
    assertTrue(error.getMessage().contains(message), error.getMessage());
  }
}
