#include "common/pki/authority.h"

#include <openssl/rand.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/pki/certificate.h"
#include "common/pki/openssl_types.h"

namespace muster::pki {
namespace {

constexpr absl::Duration kClocksApart = absl::Minutes(5);  // machines disagree about the time
constexpr size_t kSerialBytes = 16;
constexpr size_t kLongestHost = 253;
constexpr size_t kLongestCommonName = 64;  // X.509's own bound

absl::Status LibraryFailed(const char* what) {
  ERR_clear_error();
  return absl::InternalError(absl::StrCat("libcrypto could not ", what));
}

bool SetTime(ASN1_TIME* to, absl::Time time) { return ASN1_TIME_set(to, absl::ToTimeT(time)) != nullptr; }

bool AddExtension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  if (extension == nullptr) return false;
  const bool added = X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

// Serial, times, subject, key: what all certificates have.
bool SetBasics(X509* certificate, EVP_PKEY* key, const std::string& name, absl::Time from, absl::Time until) {
  unsigned char serial[kSerialBytes];
  if (RAND_bytes(serial, sizeof(serial)) != 1) return false;
  serial[0] = static_cast<unsigned char>((serial[0] & 0x7F) | 0x40);  // positive, and of full length
  BIGNUM* const number = BN_bin2bn(serial, sizeof(serial), nullptr);
  const bool numbered = number != nullptr && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
  BN_free(number);
  const std::string common = name.substr(0, kLongestCommonName);
  return numbered && X509_set_version(certificate, X509_VERSION_3) == 1 && SetTime(X509_getm_notBefore(certificate), from) &&
         SetTime(X509_getm_notAfter(certificate), until) && X509_set_pubkey(certificate, key) == 1 &&
         X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate), NID_commonName, MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(common.data()), static_cast<int>(common.size()),
                                    -1, 0) == 1;
}

bool AddName(GENERAL_NAMES* names, int type, const std::string& text) {
  GENERAL_NAME* const name = GENERAL_NAME_new();
  ASN1_STRING* value = nullptr;
  if (type == GEN_IPADD) {
    value = a2i_IPADDRESS(text.c_str());
  } else if ((value = ASN1_IA5STRING_new()) != nullptr) {
    ASN1_STRING_set(value, text.data(), static_cast<int>(text.size()));
  }
  if (name == nullptr || value == nullptr) {
    GENERAL_NAME_free(name);
    ASN1_STRING_free(value);
    return false;
  }
  GENERAL_NAME_set0_value(name, type, value);
  return sk_GENERAL_NAME_push(names, name) > 0;
}

bool AddNames(X509* certificate, const CertificateWish& wish) {
  const NamesPtr names(GENERAL_NAMES_new());
  bool added = names != nullptr && AddName(names.get(), GEN_URI, security::ToText(wish.id));
  for (const std::string& host : wish.dns) added = added && AddName(names.get(), GEN_DNS, host);
  for (const std::string& address : wish.ips) added = added && AddName(names.get(), GEN_IPADD, address);
  return added && X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) == 1;
}

absl::StatusOr<KeyAndCertificate> ToPem(X509* certificate, EVP_PKEY* key) {
  const BioPtr certificate_text(BIO_new(BIO_s_mem()));
  const BioPtr key_text(BIO_new(BIO_s_secmem()));
  if (PEM_write_bio_X509(certificate_text.get(), certificate) != 1 ||
      PEM_write_bio_PKCS8PrivateKey(key_text.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return LibraryFailed("write PEM");
  }
  return KeyAndCertificate{TextOf(certificate_text.get()), TextOf(key_text.get())};
}

absl::Status CheckHosts(const CertificateWish& wish) {
  for (const std::string& host : wish.dns) {
    const bool whole = !host.empty() && host.size() <= kLongestHost && std::all_of(host.begin(), host.end(), [](char c) {
      return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_' || c == '*';
    });
    if (!whole) return absl::InvalidArgumentError(absl::StrCat("\"", host, "\" is no name of a host"));
  }
  for (const std::string& address : wish.ips) {
    ASN1_OCTET_STRING* const parsed = a2i_IPADDRESS(address.c_str());
    if (parsed == nullptr) return absl::InvalidArgumentError(absl::StrCat("\"", address, "\" is no IP address"));
    ASN1_OCTET_STRING_free(parsed);
  }
  return absl::OkStatus();
}

absl::Status CheckTime(absl::Duration valid_for) {
  if (valid_for > absl::ZeroDuration() && valid_for <= absl::Hours(24 * 366 * 30)) return absl::OkStatus();
  return absl::InvalidArgumentError("a certificate is valid for some time, and for 30 years at most");
}

}  // namespace

absl::StatusOr<KeyAndCertificate> MakeAuthority(std::string_view cluster, absl::Time now, absl::Duration valid_for) {
  MUSTER_RETURN_IF_ERROR(security::CheckClusterName(cluster));
  MUSTER_RETURN_IF_ERROR(CheckTime(valid_for));
  const KeyPtr key(EVP_EC_gen("P-256"));
  const X509Ptr certificate(X509_new());
  if (key == nullptr || certificate == nullptr) return LibraryFailed("make a key");
  X509* const x = certificate.get();
  const std::string name = absl::StrCat("muster ", absl::string_view(cluster.data(), cluster.size()), " authority");
  // The cluster stands in it, so that whoever issues need not say it again. It is no identity: it has no role.
  const bool made = SetBasics(x, key.get(), name, now - kClocksApart, now + valid_for) &&
                    X509_set_issuer_name(x, X509_get_subject_name(x)) == 1 &&
                    AddExtension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                    AddExtension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") &&
                    AddExtension(x, x, NID_subject_key_identifier, "hash") &&
                    AddExtension(x, x, NID_subject_alt_name,
                                 absl::StrCat("URI:spiffe://", absl::string_view(cluster.data(), cluster.size())).c_str()) &&
                    X509_sign(x, key.get(), EVP_sha256()) > 0;
  if (!made) return LibraryFailed("make the authority's certificate");
  return ToPem(x, key.get());
}

absl::StatusOr<KeyAndCertificate> Issue(const KeyAndCertificate& authority, const CertificateWish& wish) {
  MUSTER_RETURN_IF_ERROR(security::CheckClusterName(wish.id.cluster));
  MUSTER_RETURN_IF_ERROR(security::CheckIdentityName(wish.id.name));
  MUSTER_RETURN_IF_ERROR(CheckHosts(wish));
  MUSTER_RETURN_IF_ERROR(CheckTime(wish.valid_for));
  const X509Ptr issuer = ParseCertificate(authority.certificate);
  const KeyPtr issuer_key = ParseKey(authority.key);
  if (issuer == nullptr || issuer_key == nullptr) {
    return absl::InvalidArgumentError("the authority's certificate or its key is none in PEM");
  }
  MUSTER_RETURN_IF_ERROR(CheckPair(authority.certificate, authority.key));
  MUSTER_ASSIGN_OR_RETURN(const CertificateFacts facts, ReadCertificate(authority.certificate));
  const KeyPtr key(EVP_EC_gen("P-256"));
  const X509Ptr certificate(X509_new());
  if (key == nullptr || certificate == nullptr) return LibraryFailed("make a key");
  X509* const x = certificate.get();
  const char* const uses = security::IsDaemon(wish.id.role) ? "serverAuth,clientAuth" : "clientAuth";
  const absl::Time until = std::min(wish.now + wish.valid_for, facts.not_after);
  const bool made = SetBasics(x, key.get(), wish.id.name, wish.now - kClocksApart, until) &&
                    X509_set_issuer_name(x, X509_get_subject_name(issuer.get())) == 1 &&
                    AddExtension(x, issuer.get(), NID_basic_constraints, "critical,CA:FALSE") &&
                    AddExtension(x, issuer.get(), NID_key_usage, "critical,digitalSignature") &&
                    AddExtension(x, issuer.get(), NID_ext_key_usage, uses) &&
                    AddExtension(x, issuer.get(), NID_subject_key_identifier, "hash") &&
                    AddExtension(x, issuer.get(), NID_authority_key_identifier, "keyid") && AddNames(x, wish) &&
                    X509_sign(x, issuer_key.get(), EVP_sha256()) > 0;
  if (!made) return LibraryFailed("make the certificate");
  return ToPem(x, key.get());
}

}  // namespace muster::pki
