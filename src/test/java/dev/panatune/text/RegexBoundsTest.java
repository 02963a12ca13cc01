package dev.panatune.text;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RegexBoundsTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "a",
        "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
            + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
        "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
            + "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}",
        "\\p{N}{1,3}(?=(?:\\p{N}{3})*(?:\\P{N}|$))",
        "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r"
            + "\\n"
            + "\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+",
        "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+",
        "\\s?[A-Za-z\u00b5]+|\\s+$",
        "[a[bc]&&[^d]]+|\\x{41}+?|a++",
        "(?<=a)b|(?<!c)d"
      })
  void acceptsWhatModelsUse(String regex) {
    assertTrue(RegexBounds.holds(regex));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "(a+)+$b",
        "(a|aa)+c",
        "(a*)*",
        "((a)+)*",
        "(a{1,5})+b",
        "(a+){20}b",
        "(?:a?)+b",
        "a*a*a*a*b",
        "(?i:(a|b)+)",
        "(a",
        "a)",
        "[a",
        "a\\",
        "\\p{L",
        "a{2,}{3,}",
        "a+*"
      })
  void refusesWhatCouldSearchWithoutEnd(String regex) {
    assertFalse(RegexBounds.holds(regex));
  }
}
