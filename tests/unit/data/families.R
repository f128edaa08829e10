# Made the *.RDa files of this folder: R 4.2.2, Biostrings 2.66.0. The three sets of families, in both versions of R's
# serialisation, with every letter that Biostrings knows; a set without names; and an object of another kind.
library(Biostrings)
set.seed(1)
family <- function(name, number, length) {
  rna <- function(n) paste(sample(c("A", "C", "G", "T"), length + n %% 3, TRUE), collapse = "")
  setNames(DNAStringSet(sapply(seq_len(number), rna)), rep(name, number))
}
x_train <- c(family("RF00001", 6, 30), family("RF00005", 4, 20), family("RF00010", 5, 31), family("RF00099", 2, 25))
x_val <- c(family("RF00001", 3, 30), family("RF00005", 2, 20), family("RF00010", 2, 31))
x_test <- c(family("RF00001", 2, 30), family("RF00005", 2, 20), family("RF00010", 2, 31))
x_train[[2]] <- DNAString("ACGTRYKMSWBDHVN-")
x_test <- rev(x_test)
save(x_train, x_val, x_test, file = "families_v2.RDa", version = 2, compress = "xz")
save(x_train, x_val, x_test, file = "families_v3.RDa", version = 3)
writeLines(c(rbind(paste0(">", names(x_test)), as.character(x_test))), "families_test.fasta")
unnamed <- DNAStringSet("ACGT")
save(unnamed, file = "unnamed.RDa")
number <- 1:3
save(number, file = "numbers.RDa")
