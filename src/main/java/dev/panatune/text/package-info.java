/** Tokenizers and chat templates: from text to ids and back, and from conversations to text. */
package dev.panatune.text;
