/**
 * Files that hold tensors: safetensors, archives of torch.save and GGUF, read without trusting
 * them; safetensors and GGUF written; and the atomic saving that everything that writes stands on.
 * No model knowledge, no libtorch.
 *
 * <p>Every reader here assumes a hostile file: memory and time are bounded by the bytes that are
 * really there, and what is wrong is said with the name of the tensor or field. Every writer leaves
 * the whole new file or nothing.
 */
package dev.panatune.format;
